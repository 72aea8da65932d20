//! How loud to be when the same fault comes again and again: a gateway that waits a month for its
//! provision request must not fill its log.

use log::Level;

use crate::diagnosis::{Code, Fault};

/// Counts how often one fault came in a row.
#[derive(Debug, Default)]
pub struct Repetition {
    last: Option<(Code, String, i64)>,
    times: u32,
}

impl Repetition {
    /// Takes the last fault and its time as they are now, and says at which level the change is
    /// worth a line: in full the 1st, 2nd, 4th, 8th, ... time, else for debugging only.
    pub fn level(&mut self, fault: Option<&(Fault, i64)>) -> Level {
        match (fault, &mut self.last) {
            (None, last) => {
                *last = None;
                self.times = 0;
            }
            (Some((fault, at)), Some((code, message, then)))
                if *code == fault.code && *message == fault.message =>
            {
                if at != then {
                    *then = *at;
                    self.times = self.times.saturating_add(1);
                }
            }
            (Some((fault, at)), last) => {
                *last = Some((fault.code, fault.message.clone(), *at));
                self.times = 1;
            }
        }
        if self.times == 0 || self.times.is_power_of_two() {
            Level::Info
        } else {
            Level::Debug
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_again_and_again_is_logged_ever_more_rarely() {
        let mut repetition = Repetition::default();
        let fault = Fault::new(Code::NetworkRefused, "nobody listens");
        let loud: Vec<i64> = (1..=100)
            .filter(|at| repetition.level(Some(&(fault.clone(), *at))) == Level::Info)
            .collect();
        assert_eq!(loud, [1, 2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn several_lines_about_one_time_count_once_and_another_fault_is_news() {
        let mut repetition = Repetition::default();
        let refused = (Fault::new(Code::NetworkRefused, "nobody listens"), 1);
        for _ in 0..5 {
            assert_eq!(repetition.level(Some(&refused)), Level::Info);
        }
        for at in 2..=7 {
            repetition.level(Some(&(refused.0.clone(), at)));
        }
        let lost = (Fault::new(Code::NetworkLost, "gone"), 8);
        assert_eq!(repetition.level(Some(&lost)), Level::Info);
        assert_eq!(repetition.level(None), Level::Info);
    }
}
