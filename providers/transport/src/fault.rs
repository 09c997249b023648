//! What went wrong, as a word and a hint. What reqwest says of it names URLs: it is looked through and dropped.

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use secretfig_source::protocol::{HttpError, HttpFault};
use std::error::Error;
use std::io;

pub(crate) fn of(error: &reqwest::Error) -> HttpError {
    let hint = |fault, hint| HttpError::new(fault).hint(hint);
    let nameless = "no address is known of this host; check the spelling, and DNS where this runs";
    match cause(error) {
        _ if error.is_dns() => hint(HttpFault::Transport, nameless),
        Some(told) => told,
        None if error.is_timeout() => HttpError::new(HttpFault::Timeout),
        None if error.is_builder() => hint(HttpFault::Misconfigured, "no request could be made of this"),
        None => HttpError::new(HttpFault::Transport),
    }
}

/// The first cause that says what reqwest does not tell apart. `io::Error::source()` passes over what the error itself
/// holds, and TLS errors lie nested in it.
fn cause(error: &(dyn Error + 'static)) -> Option<HttpError> {
    let refused = "nothing listens at this address; check host and port, and whether it runs";
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return Some(HttpError::new(HttpFault::Tls).hint(tls(error)));
    }
    match error.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some(HttpError::new(HttpFault::Transport).hint(refused))
        }
        Some(error) => cause(error.get_ref()?),
        None => cause(error.source()?),
    }
}

fn tls(error: &TlsError) -> &'static str {
    match error {
        TlsError::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => {
                "the server's certificate is of an authority that is not known here; name it as an extra CA, or \
                 install this machine's (`ca-certificates`)"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name; check the address"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired; renew it, or check this machine's clock"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet; check this machine's clock"
            }
            CertificateError::BadSignature => {
                "the server's certificate is not by the authority of that name that is known here; was it made anew?"
            }
            CertificateError::Revoked => "the server's certificate was revoked",
            CertificateError::ApplicationVerificationFailure => {
                "the server's key is none of the pinned ones; add its pin if it was changed on purpose"
            }
            _ => "the server's certificate does not stand up to the checks",
        },
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => "the server does not accept our client certificate, or wants one",
        TlsError::AlertReceived(AlertDescription::ProtocolVersion) | TlsError::PeerIncompatible(_) => {
            "the server and we have no version or cipher of TLS in common; 1.2 is the least"
        }
        TlsError::InvalidMessage(_) => "what answers there does not speak TLS; check scheme and port",
        _ => "TLS failed with this server; check its certificate and configuration",
    }
}
