use proptest::prelude::*;

use super::*;

/// Reads a text into a value, and tells whether the text was canonical.
fn parse(text: &[u8]) -> Result<(Value<'static>, bool), Error> {
    let mut tape = Tape::default();
    let parsed = tape.parse(text)?;
    Ok((owned(parsed.value.to_value()), parsed.canonical))
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::False => Value::False,
        Value::True => Value::True,
        Value::Int(int) => Value::Int(int),
        Value::UInt(int) => Value::UInt(int),
        Value::Str(text) => Value::Str(text.into_owned().into()),
        Value::Arr(items) => Value::Arr(items.into_iter().map(owned).collect()),
        Value::Obj(members) => {
            Value::Obj(members.into_iter().map(|(k, v)| (k.into_owned().into(), owned(v))).collect())
        }
    }
}

/// Texts of which some are JSON.
const JSON_LIKE: &str = r#"[{\[]([{}\[\],: ]|"([abé]|\\([nrtu"/\\bfx]|u(d83d|DE00|00e9|0041|001f|000a)))*"|-?[01]0?|null|true){0,12}[\]}]"#;

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
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), (value, true));
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..60)) {
        check(&text)?;
    }

    #[test]
    fn any_json_is_read_or_refused(text in JSON_LIKE) {
        check(text.as_bytes())?;
    }

    #[test]
    fn a_pretty_spelling_says_the_same(value in any_value()) {
        let theirs: serde_json::Value = serde_json::from_str(&value.to_text()).unwrap();
        let pretty = format!(" {}\n", serde_json::to_string_pretty(&theirs).unwrap());
        prop_assert_eq!(parse(pretty.as_bytes()).unwrap(), (value, false));
    }

    #[test]
    fn members_are_found_in_any_order_of_the_text_and_of_the_questions(
        members in prop::collection::btree_map("[a-c\"]{0,3}", any::<Option<u8>>(), 0..8),
        order in prop::collection::vec(("[a-c\"]{0,3}", any::<u64>()), 0..20),
    ) {
        let mut spelled: Vec<(&String, &Option<u8>)> = members.iter().collect();
        for shuffled in [false, true] {
            if shuffled {
                spelled.sort_by_key(|(key, _)| order.iter().position(|(asked, _)| asked == *key));
            }
            let pairs = spelled.iter().map(|(key, value)| {
                format!("{}:{}", serde_json::to_string(key).unwrap(), serde_json::to_string(value).unwrap())
            });
            let text = format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
            let mut tape = Tape::default();
            let object = tape.parse(text.as_bytes()).unwrap().value;
            let at = std::cell::Cell::new(0);
            for (key, _) in &order {
                let found = object.get_near(&at, key).and_then(View::as_u64);
                prop_assert_eq!(found, members.get(key).copied().flatten().map(u64::from), "{} in {}", key, text);
                prop_assert_eq!(found, object.get(key).and_then(View::as_u64));
            }
        }
    }

    #[test]
    fn serde_json_agrees(value in any_value()) {
        let text = value.to_text();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&theirs).unwrap(), text);
    }
}

/// What is read is what `serde_json` reads, and it is called canonical if its bytes are.
fn check(text: &[u8]) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    match parse(text) {
        Ok((value, canonical)) => {
            let spelled = value.to_text();
            prop_assert_eq!(canonical, spelled.as_bytes() == text);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&spelled).unwrap(), theirs.unwrap());
            prop_assert_eq!(parse(spelled.as_bytes()).unwrap(), (value, true));
        }
        Err(Error::Syntax | Error::Utf8 | Error::Surrogate) => prop_assert!(theirs.is_err()),
        Err(_) => (),
    }
    Ok(())
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
        let (value, is_canonical) = parse(text.as_bytes()).unwrap();
        assert!(!is_canonical, "{text}");
        assert_eq!(value.to_text(), canonical);
    }
    assert!(parse("\"\u{7f}é\"".as_bytes()).unwrap().1);
}
