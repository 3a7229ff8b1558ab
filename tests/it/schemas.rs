//! What `--json` prints is what the schemas say.

use serde_json::Value;

/// Checks a document against `schemas/<schema>.schema.json`.
#[track_caller]
pub(crate) fn assert_valid(schema: &str, document: &Value) {
    let path = format!("{}/schemas/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|err| format!("{}: {err}", err.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\nin {document:#}");
}
