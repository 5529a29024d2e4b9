//! Progress on long work: a bar on stderr when that is a terminal, silence otherwise.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of known length in bytes or rows, or a counter if `total` is 0.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    let bar = if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    let template =
        if total == 0 { "{msg} {human_pos}  {per_sec}  {elapsed}" } else { "{msg} [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta} left" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what.to_owned());
    bar
}

/// 1234567 as 1,234,567.
pub fn thousands(number: impl TryInto<i128>) -> String {
    let number: i128 = number.try_into().unwrap_or(0);
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands() {
        for (number, text) in [(0i64, "0"), (999, "999"), (1000, "1,000"), (-1234567, "-1,234,567")] {
            assert_eq!(super::thousands(number), text);
        }
    }
}
