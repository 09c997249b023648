//! Where a service of a region listens. A test holds this to the rules that AWS' SDK carries.

use crate::error::SCHEME;
#[cfg(feature = "full")]
use crate::error::misconfigured;
use crate::settings::Settings;
use secretfig_source::SourceError;
use secretfig_source::protocol::Origin;

/// By how a region's name begins: its domain, and the one of its dual-stack endpoints, where it has such.
/// ([partitions](https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html))
const PARTITIONS: [(&str, &str, Option<&str>); 7] = [
    ("cn-", "amazonaws.com.cn", Some("api.amazonwebservices.com.cn")),
    ("eusc-", "amazonaws.eu", Some("api.amazonwebservices.eu")),
    ("us-isof-", "csp.hci.ic.gov", Some("api.aws.hci.ic.gov")),
    ("us-isob-", "sc2s.sgov.gov", Some("api.aws.scloud")),
    ("us-iso-", "c2s.ic.gov", Some("api.aws.ic.gov")),
    ("eu-isoe-", "cloud.adc-e.uk", Some("api.cloud-aws.adc-e.uk")),
    ("", "amazonaws.com", Some("api.aws")),
];

pub(super) fn endpoint(settings: &Settings, service: &str, region: &str) -> Result<Origin, SourceError> {
    let own = if service == "sts" { &settings.sts_endpoint } else { &settings.endpoint };
    if let Some(origin) = own {
        return Ok(origin.clone());
    }
    let (_, domain, _dual) = PARTITIONS
        .into_iter()
        .find(|(begins, ..)| region.starts_with(begins))
        .unwrap_or(("", "amazonaws.com", None));
    #[cfg(feature = "full")]
    let (domain, fips) = {
        let domain = match (settings.dualstack, _dual) {
            (true, Some(dual)) => dual,
            (true, None) => {
                return Err(
                    misconfigured("this region has no dual-stack endpoints; unset `dualstack`").into()
                );
            }
            (false, _) => domain,
        };
        // AWS has FIPS endpoints of STS in GovCloud under the plain name
        let plain = service == "sts" && region.starts_with("us-gov-") && !settings.dualstack;
        (domain, if settings.fips && !plain { "-fips" } else { "" })
    };
    #[cfg(not(feature = "full"))]
    let fips = "";
    let host = [service, fips, ".", region, ".", domain].concat();
    Origin::of_parts("https", &host, None).map_err(|refused| refused.of_source(SCHEME))
}
