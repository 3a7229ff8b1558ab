//! Running the gates, each from a copy of its own, in the worktree of the protocol.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::Watch;
use crate::domain::event::GateResult;
use crate::domain::id::{Digest, Name, StepId};
use crate::domain::redact::{self, Known};
use crate::domain::text;
use crate::platform::fs::DraftFolder;
use crate::platform::git;
use crate::platform::supervise::{self, Bounds, End, Ended};
use crate::platform::{env, process};
use crate::service::error::Error;
use crate::service::gates::{Gate, Judges};
use crate::service::trust::Agreed;
use crate::service::workplace::Workplace;

/// How much of what a gate said is recorded if it did not pass.
const MAX_TAIL: usize = 2000;

/// One word for all gates.
pub(super) fn result_of(gates: &[GateResult]) -> &'static str {
    if gates.iter().any(|gate| gate.digest.is_empty()) {
        "error"
    } else if gates.iter().all(|gate| gate.exit == Some(0)) {
        "pass"
    } else {
        "fail"
    }
}

/// What is to be run.
pub(super) struct Run<'a> {
    pub(super) place: &'a Workplace,
    pub(super) agreed: Agreed<'a>,
    pub(super) judges: &'a Judges,
    pub(super) name: &'a Name,
    pub(super) step: &'a StepId,
}

impl Run<'_> {
    pub(super) fn all(&self, watch: &mut dyn FnMut(Watch<'_>)) -> Result<Vec<GateResult>, Error> {
        let mut results = Vec::new();
        for gate in &self.judges.gates {
            // Each gate has a copy of its own: what an earlier one started knows where its copy was.
            let copy = DraftFolder::new(&self.place.repo.state_dir())
                .and_then(|dir| self.agreed.folder().write_to(&dir.path().join("gates")).map(|()| dir))
                .map_err(Error::io("copy the gates"))?;
            let folder = copy.path().join("gates");
            watch(Watch::Begins(gate));
            let mut result = self.gate(gate, &folder, watch)?;
            if !self.agreed.folder().is_written_at(&folder) {
                result.exit = None;
                result.digest.clear();
                "the gate's own files were changed while it ran".clone_into(&mut result.tail);
            }
            watch(Watch::Ends(gate, &result));
            results.push(result);
        }
        Ok(results)
    }

    fn gate(
        &self,
        gate: &Gate,
        folder: &Path,
        watch: &mut dyn FnMut(Watch<'_>),
    ) -> Result<GateResult, Error> {
        let settings = &self.judges.settings;
        let path = format!("{}/{}", self.agreed.folder().path, gate.path);
        let mut result = GateResult {
            name: gate.name.clone(),
            command: path.clone(),
            exit: None,
            duration_ms: 0,
            digest: String::new(),
            tail: String::new(),
        };
        if !gate.is_executable {
            result.tail = format!("{path} is not executable; `git update-index --chmod=+x {path}`");
            return Ok(result);
        }
        let mut command = process::command(folder.join(&gate.path));
        git::forget_repository(&mut command);
        command.current_dir(&self.place.dir).env("PWD", &self.place.dir);
        command.env("GODZILLA_ROOT", &self.place.dir).env("GODZILLA_GATE", &gate.name);
        command.env("GODZILLA_PROTOCOL", self.name.as_str()).env("GODZILLA_STEP", self.step.as_str());
        let bounds = Bounds {
            time: settings.qa_timeout,
            output: usize::try_from(settings.qa_output_cap).unwrap_or(usize::MAX),
        };
        match supervise::run(command, bounds, |bytes| watch(Watch::Says(bytes))) {
            Ok(ended) => fill(&mut result, &ended, settings.qa_timeout)?,
            Err(err) => result.tail = format!("{path} cannot be started: {err}"),
        }
        Ok(result)
    }
}

fn fill(result: &mut GateResult, ended: &Ended, limit: Duration) -> Result<(), Error> {
    result.duration_ms = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    result.digest = Digest(ended.sha256).to_string();
    let mut tail = String::from_utf8_lossy(&ended.tail).into_owned();
    match ended.end {
        End::Exit(code) => result.exit = Some(i64::from(code)),
        End::TimedOut | End::Silent => {
            // Writing to a `String` cannot fail.
            write!(tail, "\nended after {} s, the limit of qa.timeout_seconds", limit.as_secs()).ok();
        }
        End::Interrupted => return Err(Error::Interrupted),
    }
    if result.exit != Some(0) {
        result.tail = tail_of(&tail);
    }
    Ok(())
}

/// Returns the last lines of what a gate said, without what a terminal would obey and without the
/// secrets: they would be shared.
fn tail_of(said: &str) -> String {
    // What a terminal would obey goes first: it may stand within a secret.
    let said = redact::clean(&text::multi_line(said), &Known::new(env::secrets()));
    let mut start = said.len().saturating_sub(MAX_TAIL);
    while !said.is_char_boundary(start) {
        start += 1;
    }
    let tail = &said[start..];
    let whole_lines = if start == 0 { tail } else { tail.split_once('\n').map_or(tail, |(_, rest)| rest) };
    whole_lines.trim_end().to_owned()
}
