//! What ties together everything that one cause brings about.

/// A W3C trace id: 32 lower-case hexadecimal digits, not all of them zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceId(String);

const TRACE_ID_DIGITS: usize = 32;
const PARENT_ID_DIGITS: usize = 16;

impl TraceId {
    /// The trace of a `traceparent`; `None` where the header is none. A version after 00 may have
    /// more fields (W3C Trace Context, section 3.2.4).
    #[must_use]
    pub fn of_traceparent(header: &str) -> Option<Self> {
        let mut fields = header.trim().split('-');
        let [version, trace, parent, flags] = std::array::from_fn(|_| fields.next());
        let (version, trace) = (version?, trace?);
        let is_one = is_hex(version, 2)
            && version != "ff"
            && is_id(trace, TRACE_ID_DIGITS)
            && is_id(parent?, PARENT_ID_DIGITS)
            && is_hex(flags?, 2)
            && (version != "00" || fields.next().is_none());
        is_one.then(|| Self(trace.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_comes_from_a_header_that_is_one() {
        const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
        for (header, expected) in [
            (format!("00-{TRACE}-b7ad6b7169203331-01"), true),
            (format!(" 00-{TRACE}-b7ad6b7169203331-00 "), true),
            (format!("01-{TRACE}-b7ad6b7169203331-01-more"), true),
            (format!("00-{TRACE}-b7ad6b7169203331-01-more"), false),
            (format!("ff-{TRACE}-b7ad6b7169203331-01"), false),
            (format!("00-{TRACE}-0000000000000000-01"), false),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), false),
            (format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()), false),
            (format!("00-{TRACE}"), false),
            (String::new(), false),
        ] {
            let trace = TraceId::of_traceparent(&header);
            assert_eq!(trace.as_ref().map(TraceId::as_str), expected.then_some(TRACE), "{header}");
        }
    }
}
