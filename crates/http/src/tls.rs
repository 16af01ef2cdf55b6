//! Certificates: an authority of the home's own, made at the first start beyond this machine, or files that somebody brings.
//!
//! The authority's key never leaves the home. The server's certificate is made again at every start and holds for two years.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_api::{Error, ErrorKind};
use mainstay_base::{Clock, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The folder within the home.
const FOLDER: &str = "tls";

/// Files that somebody brings.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

fn failed(what: &str, e: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "MS0818", format!("cannot {what}")).because(e)
}

fn place(home: &Path) -> (PathBuf, PathBuf) {
    let folder = home.join(FOLDER);
    (folder.join("authority.pem"), folder.join("authority.key"))
}

/// Returns the certificate of the home's authority, as PEM, for those who are to trust it.
///
/// # Errors
///
/// `NotFound` if it never served beyond this machine.
pub fn authority(home: &Path) -> Result<String, Error> {
    std::fs::read_to_string(place(home).0).map_err(|e| {
        Error::new(
            ErrorKind::NotFound,
            "MS0819",
            "this home has no certificate authority yet",
        )
        .because(&e)
        .help("the first `mainstay serve --listen` beyond this machine makes it")
    })
}

/// Says whether the home has an authority.
pub(crate) fn has_authority(home: &Path) -> bool {
    let (certificate, key) = place(home);
    certificate.is_file() && key.is_file()
}

fn parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut ca = CertificateParams::new(Vec::<String>::new())?;
    ca.distinguished_name
        .push(DnType::CommonName, "mainstay authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(ca)
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Returns the authority's key, made with its certificate if they are not there.
fn issuer(home: &Path) -> Result<Issuer<'static, KeyPair>, Error> {
    let (certificate, key) = place(home);
    let make = |e: rcgen::Error| failed("make a certificate", &e);
    let keep = |e: std::io::Error| failed("keep the certificate authority in the home", &e);
    if !key.exists() {
        let pair = KeyPair::generate().map_err(make)?;
        let signed = parameters().and_then(|p| p.self_signed(&pair)).map_err(make)?;
        std::fs::create_dir_all(home.join(FOLDER)).map_err(keep)?;
        std::fs::write(&certificate, signed.pem()).map_err(keep)?;
        write_secret(&key, &pair.serialize_pem()).map_err(keep)?;
    }
    let text = std::fs::read_to_string(&key).map_err(keep)?;
    let pair = KeyPair::from_pem(&text).map_err(make)?;
    Ok(Issuer::new(parameters().map_err(make)?, pair))
}

/// Makes a certificate for these names and the authority's word for it.
fn own(
    home: &Path,
    names: &[String],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let make = |e: rcgen::Error| failed("make a certificate", &e);
    let issuer = issuer(home)?;
    let mut parameters = CertificateParams::new(Vec::<String>::new()).map_err(make)?;
    parameters.distinguished_name.push(DnType::CommonName, "mainstay");
    for name in names {
        let name = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into().map_err(make)?),
        };
        parameters.subject_alt_names.push(name);
    }
    // By months, as rcgen takes days of the calendar.
    let now = SystemClock.now().to_string();
    let part = |range: std::ops::Range<usize>| now.get(range).and_then(|t| t.parse::<i32>().ok());
    let (year, month) = (part(0..4).unwrap_or(2026), part(5..7).unwrap_or(1));
    let month = u8::try_from(month).unwrap_or(1);
    parameters.not_before = rcgen::date_time_ymd(year, month, 1);
    parameters.not_after = rcgen::date_time_ymd(year + 2, month, 1);
    let pair = KeyPair::generate().map_err(make)?;
    let signed = parameters.signed_by(&pair, &issuer).map_err(make)?;
    let key = PrivateKeyDer::try_from(pair.serialize_der()).map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "MS0818",
            format!("cannot use the key that was made: {e}"),
        )
    })?;
    Ok((vec![signed.der().clone()], key))
}

fn brought(files: &Files) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let certificate = || CertificateDer::pem_file_iter(&files.certificate)?.collect::<Result<Vec<_>, _>>();
    let chain = certificate().map_err(|e| failed(&format!("read {}", files.certificate.display()), &e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(|e| failed(&format!("read {}", files.key.display()), &e))?;
    Ok((chain, key))
}

/// Returns how connections are encrypted.
pub(crate) fn server(
    home: &Path,
    files: Option<&Files>,
    names: &[String],
) -> Result<Arc<ServerConfig>, Error> {
    let (chain, key) = match files {
        Some(files) => brought(files)?,
        None => own(home, names)?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|b| b.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|e| failed("use the certificate", &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Returns what a client trusts: the authority in a file, or those of the machine.
pub(crate) fn client(authority: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, Error> {
    let mut roots = rustls::RootCertStore::empty();
    match authority {
        Some(file) => {
            let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
            let all = read().map_err(|e| failed(&format!("read {}", file.display()), &e))?;
            for certificate in all {
                roots
                    .add(certificate)
                    .map_err(|e| failed(&format!("trust {}", file.display()), &e))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed("set up encryption", &e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
