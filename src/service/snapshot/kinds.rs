//! Which files tell by their names what they are.

/// What a file is, in the order in which a prompt names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Manifest,
    Lock,
    Ci,
    Gate,
    EntryPoint,
    Docs,
}

const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "package.json",
    "deno.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "Gemfile",
    "composer.json",
    "mix.exs",
    "Package.swift",
    "pubspec.yaml",
    "CMakeLists.txt",
    "meson.build",
    "Makefile",
    "justfile",
    "Justfile",
    "Taskfile.yml",
    "Dockerfile",
    "docker-compose.yml",
    "compose.yaml",
    "tsconfig.json",
    "godzilla.toml",
];

const LOCKS: &[&str] = &[
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "uv.lock",
    "poetry.lock",
    "mvnw",
    "gradlew",
];

const CI: &[&str] = &[
    ".gitlab-ci.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".travis.yml",
    ".circleci/config.yml",
    ".woodpecker.yml",
    ".drone.yml",
    ".buildkite/pipeline.yml",
];

const WORKFLOWS: &[&str] =
    &[".github/workflows/", ".forgejo/workflows/", ".gitea/workflows/", ".woodpecker/"];

/// Names without their ending, in the folders where programs begin.
const ENTRY_POINTS: &[&str] = &["main", "index", "app", "server", "cli", "manage", "__main__", "lib"];
const CODE: &[&str] = &[
    "rs", "go", "py", "js", "mjs", "ts", "tsx", "jsx", "java", "kt", "rb", "php", "c", "cc", "cpp", "cs",
    "swift",
];

impl Kind {
    /// Tells a file by its path within the repository.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let depth = path.matches('/').count();
        let in_workflows =
            WORKFLOWS.iter().any(|folder| path.strip_prefix(folder).is_some_and(|rest| !rest.contains('/')));
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        if path.starts_with("scripts/ci/") && depth == 2 {
            return Some(Self::Gate);
        }
        if CI.contains(&path) || in_workflows && matches!(ending, "yml" | "yaml") {
            return Some(Self::Ci);
        }
        if depth <= 3 && (MANIFESTS.contains(&name) || ending == "csproj") {
            return Some(Self::Manifest);
        }
        if depth == 0 && LOCKS.contains(&name) {
            return Some(Self::Lock);
        }
        if depth <= 4 && CODE.contains(&ending) {
            let is_binary = above.ends_with("src/bin") || above == "bin";
            let is_usual = ENTRY_POINTS.contains(&stem);
            if is_binary || is_usual {
                return Some(Self::EntryPoint);
            }
        }
        let is_doc = ["README", "ARCHITECTURE", "CONTRIBUTING", "AGENTS", "CLAUDE"];
        (depth <= 1 && is_doc.contains(&stem) && matches!(ending, "" | "md" | "rst" | "txt" | "adoc"))
            .then_some(Self::Docs)
    }

    /// How many of a kind are named.
    pub(super) fn limit(self) -> usize {
        match self {
            Self::Manifest => 24,
            Self::Ci | Self::Gate => 16,
            Self::EntryPoint => 20,
            Self::Lock | Self::Docs => 8,
        }
    }

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Manifest => "Manifests",
            Self::Lock => "Locks and wrappers",
            Self::Ci => "CI workflows",
            Self::Gate => "Gates",
            Self::EntryPoint => "Entry points",
            Self::Docs => "Documents",
        }
    }
}
