//! Where a service of a region listens. A test holds this to the rules that AWS' SDK carries.

use crate::error::SCHEME;
use crate::settings::Settings;
use secretfig_source::SourceError;
use secretfig_source::protocol::Origin;

/// By how a region's name begins: its domain.
/// ([partitions](https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html))
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("", "amazonaws.com"),
];

/// The domain of the dual-stack endpoints beside it.
#[cfg(feature = "full")]
fn dual(domain: &str) -> &'static str {
    match domain {
        "amazonaws.com.cn" => "api.amazonwebservices.com.cn",
        "amazonaws.eu" => "api.amazonwebservices.eu",
        "csp.hci.ic.gov" => "api.aws.hci.ic.gov",
        "sc2s.sgov.gov" => "api.aws.scloud",
        "c2s.ic.gov" => "api.aws.ic.gov",
        "cloud.adc-e.uk" => "api.cloud-aws.adc-e.uk",
        _ => "api.aws",
    }
}

pub(super) fn endpoint(settings: &Settings, service: &str, region: &str) -> Result<Origin, SourceError> {
    let own = if service == "sts" { &settings.sts_endpoint } else { &settings.endpoint };
    if let Some(origin) = own {
        return Ok(origin.clone());
    }
    let own = PARTITIONS.into_iter().find(|(begins, _)| region.starts_with(begins));
    let (_, domain) = own.unwrap_or(("", "amazonaws.com"));
    #[cfg(feature = "full")]
    let (domain, fips) = {
        // AWS has FIPS endpoints of STS in GovCloud under the plain name
        let plain = service == "sts" && region.starts_with("us-gov-") && !settings.dualstack;
        // those of Secrets Manager have IPv6 addresses under the same name, where AWS is large
        let same = domain == "amazonaws.com" || domain == "amazonaws.com.cn" && !settings.fips;
        let other = settings.dualstack && !(same && service == "secretsmanager");
        (if other { dual(domain) } else { domain }, if settings.fips && !plain { "-fips" } else { "" })
    };
    #[cfg(not(feature = "full"))]
    let fips = "";
    let host = [service, fips, ".", region, ".", domain].concat();
    Origin::of_parts("https", &host, None).map_err(|refused| refused.of_source(SCHEME))
}
