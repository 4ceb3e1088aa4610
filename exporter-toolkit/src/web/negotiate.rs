//! What the client can read: `Accept` and `Accept-Encoding` with their weights (RFC 9110, section 12).

use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderName};

use crate::Format;

/// One element of a list header: its value, its parameters and its weight in thousandths.
struct Choice<'a> {
    value: &'a str,
    parameters: &'a str,
    weight: u16,
}

/// Chooses the format with the highest weight. A wildcard, an unknown type or no header mean [`Format::Text`];
/// between equal weights an exact type wins over a wildcard, then the first one named.
pub(crate) fn format(headers: &HeaderMap) -> Format {
    let mut best = (0, 0, Format::Text);
    for choice in choices(headers, &ACCEPT).filter(|choice| choice.weight > 0) {
        if let Some((exactness, format)) = offered(&choice)
            && (choice.weight, exactness) > (best.0, best.1)
        {
            best = (choice.weight, exactness, format);
        }
    }
    best.2
}

/// The format that a media range asks for, and how exactly it does.
fn offered(choice: &Choice<'_>) -> Option<(u8, Format)> {
    let version = parameter(choice.parameters, "version");
    let is = |name: &str| choice.value.eq_ignore_ascii_case(name);
    if is("application/openmetrics-text") {
        let known = version.is_none_or(|version| matches!(version, "1.0.0" | "0.0.1"));
        return known.then_some((3, Format::OpenMetrics));
    }
    match () {
        () if is("text/plain") => Some((3, Format::Text)),
        () if is("text/*") => Some((2, Format::Text)),
        () if is("*/*") => Some((1, Format::Text)),
        () => None,
    }
}

/// Whether to send gzip: it is named or covered by `*` with a weight above 0, and `identity` is not preferred by name.
///
/// Where a client refuses both, it gets identity: an answer that it may still read beats a 406.
pub(crate) fn gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for choice in choices(headers, &ACCEPT_ENCODING) {
        let slot = match choice.value.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *slot = Some(choice.weight);
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && identity.is_none_or(|identity| gzip >= identity)
}

fn choices<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Choice<'a>> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|e| !e.is_empty()).map(choice)
}

fn choice(element: &str) -> Choice<'_> {
    let (value, parameters) = element.split_once(';').unwrap_or((element, ""));
    let weight = parameter(parameters, "q").map_or(1000, thousandths);
    Choice { value: value.trim(), parameters, weight }
}

fn parameter<'a>(parameters: &'a str, wanted: &str) -> Option<&'a str> {
    let pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    found.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// A weight is `0` to `1` with at most three decimals; one that cannot be read counts as 0, as Go's exporters do.
fn thousandths(text: &str) -> u16 {
    let Ok(weight) = text.parse::<f32>() else { return 0 };
    // The clamp keeps the product between 0 and 1000; NaN becomes 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0).round() as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let pair = |value: &&'static str| (name.clone(), HeaderValue::from_static(value));
        values.iter().map(pair).collect()
    }

    fn chosen(accept: &'static str) -> Format {
        format(&with(ACCEPT, &[accept]))
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        assert_eq!(format(&HeaderMap::new()), Format::Text);
        for text in ["", "*/*", "text/*", "text/plain", "application/json", "text/html;q=0.9,*/*"] {
            assert_eq!(chosen(text), Format::Text, "{text}");
        }
        for asked in [
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text;version=\"0.0.1\"",
            "*/*, application/openmetrics-text",
            "APPLICATION/OPENMETRICS-TEXT",
        ] {
            assert_eq!(chosen(asked), Format::OpenMetrics, "{asked}");
        }
        assert_eq!(chosen("application/openmetrics-text;version=2.0.0"), Format::Text);
    }

    #[test]
    fn prometheus_gets_what_it_prefers_and_we_have() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(chosen(prometheus_3), Format::OpenMetrics);
        let protobuf_first = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.6,\
            application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.2";
        assert_eq!(chosen(protobuf_first), Format::Text);
    }

    #[test]
    fn weights_decide_then_exactness_then_order() {
        assert_eq!(chosen("application/openmetrics-text;q=0, */*;q=0.1"), Format::Text);
        assert_eq!(
            chosen("text/plain;q=0.2, application/openmetrics-text;q=0.3"),
            Format::OpenMetrics
        );
        assert_eq!(chosen("application/openmetrics-text;q=0.3, text/plain"), Format::Text);
        assert_eq!(chosen("text/plain, application/openmetrics-text"), Format::Text);
        assert_eq!(chosen("application/openmetrics-text, text/plain"), Format::OpenMetrics);
        assert_eq!(chosen("application/openmetrics-text;q=x"), Format::Text);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes: Vec<u8>, text in "[a-z/*;=,q.0-9\" ]{0,60}") {
            for value in [HeaderValue::from_bytes(&bytes), HeaderValue::from_str(&text)] {
                let pair = |name: HeaderName| Some((name, value.as_ref().ok()?.clone()));
                let headers = [ACCEPT, ACCEPT_ENCODING].into_iter().filter_map(pair).collect();
                let _any = (format(&headers), gzip(&headers));
            }
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (values, expected) in [
            (&[][..], false),
            (&[""], false),
            (&["gzip"], true),
            (&["deflate, X-GZIP"], true),
            (&["deflate", "gzip"], true),
            (&["gzip;q=0"], false),
            (&["gzip; q=0.000"], false),
            (&["gzip;q=0, *"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["identity"], false),
            (&["identity;q=0, gzip"], true),
            (&["identity, gzip;q=0.5"], false),
            (&["identity;q=0.5, gzip"], true),
            (&["gzip, identity"], true),
            (&["br;q=1.0, zstd"], false),
            (&["identity;q=0, *;q=0"], false),
            (&["gzip;q=NaN"], false),
        ] {
            assert_eq!(gzip(&with(ACCEPT_ENCODING, values)), expected, "{values:?}");
        }
    }
}
