//! Whether a topic belongs to one of our subscriptions (MQTT 3.1.1, section 4.7).
//!
//! A broker that sends what nobody subscribed to is not obeyed: `link` lets such a message pass by
//! without keeping it.

/// Whether one of the filters, with their QoS, is for this topic.
pub(crate) fn any(filters: &[(String, u8)], topic: &str) -> bool {
    filters.iter().any(|(filter, _)| matches(filter, topic))
}

fn matches(filter: &str, topic: &str) -> bool {
    // A shared subscription: `$share/{group}/{filter}`.
    let filter = match filter.strip_prefix("$share/") {
        Some(shared) => shared.split_once('/').map_or("", |(_, filter)| filter),
        None => filter,
    };
    // Wildcards at the start are not for the broker's own topics.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        match (level, topic.next()) {
            // Also for the level above.
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(found)) if level == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic) in [
            ("a", "a"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("#", "a/b"),
            ("+", "a"),
            ("+/+", "/a"),
            ("/+", "/a"),
            ("a/+/c", "a//c"),
            ("$EDC/x/y/#", "$EDC/x/y/CONF-V1/PUT/z"),
            ("$share/g/a/+", "a/b"),
            ("$share/g/$EDC/+/p/#", "$EDC/a/p/q"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("a", "b"),
            ("a", "a/b"),
            ("a/b", "a"),
            ("a/+", "a"),
            ("+", "/a"),
            ("+", "a/b"),
            ("a/#", "ab"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("$share/g/a", "$share/g/a"),
            ("$share/g", "a"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
        assert!(!any(&[], "a"));
        assert!(any(&[("b".into(), 1), ("a".into(), 0)], "a"));
    }
}
