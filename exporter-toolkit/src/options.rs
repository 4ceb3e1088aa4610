//! x

/// Placeholder until the options land.
pub fn parse_duration(_: &str) -> Result<std::time::Duration, String> {
    Ok(std::time::Duration::from_secs(5))
}
