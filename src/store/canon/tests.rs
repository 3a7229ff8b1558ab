use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::bool),
        any::<i64>().prop_map(Value::Int),
        (u64::MAX / 2 + 1..).prop_map(Value::UInt),
        any::<String>().prop_map(|text| Value::Str(text.into())),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Arr),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Obj(map.into_iter().map(|(k, v)| (k.into(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_canonical_and_reads_back(value in any_value()) {
        let text = value.to_text();
        let parsed = parse(text.as_bytes()).unwrap();
        prop_assert!(parsed.canonical);
        prop_assert_eq!(parsed.value, value);
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(parsed) = parse(&text) {
            let canonical = parsed.value.to_text();
            prop_assert_eq!(parsed.canonical, canonical.as_bytes() == text.as_slice());
            prop_assert_eq!(parse(canonical.as_bytes()).unwrap().value, parsed.value);
        }
    }

    #[test]
    fn serde_json_agrees(value in any_value()) {
        let text = value.to_text();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&theirs).unwrap(), text);
    }
}

#[test]
fn what_has_no_canonical_form_is_refused() {
    for (text, why) in [
        ("1.0", Error::Number),
        ("1e3", Error::Number),
        ("-0", Error::Number),
        ("18446744073709551616", Error::Number),
        ("-9223372036854775809", Error::Number),
        (r#"{"a":1,"a":2}"#, Error::RepeatedKey),
        (r#"{"b":1,"a":0,"b":2}"#, Error::RepeatedKey),
        (r#""\ud800""#, Error::Surrogate),
        (r#""\udc00""#, Error::Surrogate),
        ("01", Error::Syntax),
        ("", Error::Syntax),
        ("{}x", Error::Syntax),
        ("\"\u{1}\"", Error::Syntax),
        ("[1,]", Error::Syntax),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap_err(), why, "{text}");
    }
    assert_eq!(parse(&[b'"', 0xff, b'"']).unwrap_err(), Error::Utf8);
    assert_eq!(parse("[".repeat(33).as_bytes()).unwrap_err(), Error::Depth);
    assert!(parse(format!("{}{}", "[".repeat(32), "]".repeat(32)).as_bytes()).is_ok());
    let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
    assert_eq!(parse(many.as_bytes()).unwrap_err(), Error::TooMany);
}

#[test]
fn other_spellings_are_read_and_known_as_such() {
    for (text, canonical) in [
        (r#"{"b":1, "a":2}"#, r#"{"a":2,"b":1}"#),
        (r#""\u0041\/\u00e9\ud83d\ude00""#, "\"A/é😀\""),
        (r#""\u000a\u001F""#, "\"\\n\\u001f\""),
        (" 7 ", "7"),
    ] {
        let parsed = parse(text.as_bytes()).unwrap();
        assert!(!parsed.canonical, "{text}");
        assert_eq!(parsed.value.to_text(), canonical);
    }
    assert!(parse("\"\u{7f}é\"".as_bytes()).unwrap().canonical);
}
