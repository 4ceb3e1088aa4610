//! Stands in for collectors that are being written.
use super::{CollectError, Collector};
use exporter_toolkit::Exposition;
pub struct Stub;
impl Collector for Stub {
    fn collect(&mut self, _: &mut Exposition) -> Result<(), CollectError> {
        Err(CollectError::NoData("not written yet"))
    }
}
