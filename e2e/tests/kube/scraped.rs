//! scraped
