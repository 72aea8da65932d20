//! The words that a ProvisioningService may say, by its published schema, are words that this host
//! shows as what they are.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use gateway::progress::lines;
use gateway::status::{Document, State, StepState};
use serde_json::Value;

fn words(path: &str) -> Vec<String> {
    let schema = include_str!("../../../plugin/docs/status.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let words = schema.pointer(path).unwrap().as_array().unwrap();
    words
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn no_state_of_a_component_is_unknown_here_or_on_the_page() {
    let page = include_str!("../console/status.js");
    for word in words("/properties/state/enum") {
        let document = Document::parse(&format!(r#"{{"state":"{word}"}}"#)).unwrap();
        assert_ne!(document.state, State::Unknown, "{word}");
        assert_eq!(document.state.word(), word);
        assert!(!lines::in_words(document.state).contains("unknown"));
        let shown = [format!("  {word}: ["), format!("  \"{word}\": [")];
        assert!(shown.iter().any(|entry| page.contains(entry)), "{word}");
    }
}

#[test]
fn no_state_of_a_step_is_unknown_here() {
    for word in words("/properties/steps/items/properties/state/enum") {
        let text = format!(r#"{{"steps":[{{"name":"seal","state":"{word}"}}]}}"#);
        let document = Document::parse(&text).unwrap();
        assert_ne!(document.steps[0].state, StepState::Unknown, "{word}");
    }
}
