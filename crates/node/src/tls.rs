//! TLS: our certificate, the authorities that we believe, and who a peer has proven to be. All of it
//! is read again without a restart.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use config::TlsFiles;
use metrics::Metrics;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject as _},
    },
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Why the files of `[tls]` are of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read, or is not in PEM form.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file has no certificate, or one that nobody can read.
    #[error("{}: there is no certificate in it that can be used", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The certificate and the key do not serve: they do not belong together, or the key is of a
    /// kind that TLS does not have.
    #[error("{} does not serve with its key", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// What TLS says.
        source: rustls::Error,
    },
}

/// Our side of TLS. Connections that are open keep what they were opened with.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: watch::Sender<Arc<Material>>,
}

/// What one reading of the files gave.
struct Material {
    acceptor: TlsAcceptor,
    /// Only with authorities: whom we call must prove who it is.
    connector: Option<TlsConnector>,
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    expires_at: UnixTime,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn read(files: TlsFiles) -> Result<Self, CertificateError> {
        let material = Material::read(&files)?;
        Ok(Self {
            files,
            current: watch::Sender::new(Arc::new(material)),
        })
    }

    fn reload(&self) -> Result<(), CertificateError> {
        let material = Arc::new(Material::read(&self.files)?);
        self.current.send_replace(material);
        Ok(())
    }

    /// The server's side of a handshake, and the names that the peer has proven.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(server::TlsStream<TcpStream>, Vec<String>)> {
        let material = self.current();
        let stream = material.acceptor.accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let names = certificates.map_or_else(Vec::new, |chain| material.proven_names(chain));
        Ok((stream, names))
    }

    /// The client's side of a handshake with a peer that must prove to have this name or address.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        peer: ServerName<'static>,
    ) -> io::Result<(client::TlsStream<TcpStream>, Vec<String>)> {
        let material = self.current();
        let connector = material.connector.as_ref().ok_or_else(|| {
            io::Error::new(io::ErrorKind::PermissionDenied, "there are no authorities")
        })?;
        let stream = connector.connect(peer, stream).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        // The handshake has verified the chain.
        let names = certificates
            .and_then(<[_]>::first)
            .map_or_else(Vec::new, |certificate| names(certificate));
        Ok((stream, names))
    }

    fn current(&self) -> Arc<Material> {
        self.current.borrow().clone()
    }
}

/// Says whether the files of `[tls]` can be used.
///
/// # Errors
/// What is wrong with them.
pub fn check_certificates(files: &TlsFiles) -> Result<(), CertificateError> {
    Material::read(files).map(|_| ())
}

/// The certificates of a running node: read again on demand, and their end shown in the metrics.
#[derive(Debug)]
pub(crate) struct Certificates {
    tls: Arc<Tls>,
    metrics: Arc<Metrics>,
}

impl Certificates {
    pub(crate) fn new(tls: Arc<Tls>, metrics: Arc<Metrics>) -> Self {
        let certificates = Self { tls, metrics };
        certificates.show();
        certificates
    }

    /// Reads the files again; what was read before stays when they are of no use.
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        self.tls.reload()?;
        self.show();
        Ok(())
    }

    fn show(&self) {
        let expires_at = self.tls.current().expires_at;
        self.metrics.certificate_expires_at(expires_at.as_secs());
    }
}

impl Material {
    fn read(files: &TlsFiles) -> Result<Self, CertificateError> {
        let provider = Arc::new(ring::default_provider());
        let chain = read_certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(in_file(&files.key))?;
        let expires_at = expiry(&chain[0]).ok_or_else(|| CertificateError::NoCertificate {
            path: files.certificate.clone(),
        })?;
        let roots = files.authorities.as_deref().map(read_authorities);
        let roots = roots.transpose()?;
        let authorities = match (&roots, &files.authorities) {
            (Some(roots), Some(path)) => Some(client_verifier(roots, path, &provider)?),
            _ => None,
        };
        let unusable = |source| CertificateError::Unusable {
            path: files.certificate.clone(),
            source,
        };
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let server = match &authorities {
            Some(authorities) => {
                server.with_client_cert_verifier(Arc::new(AnyClient(authorities.clone())))
            }
            None => server.with_no_client_auth(),
        };
        let server = server
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unusable)?;
        let connector = match roots {
            Some(roots) => Some(connector(roots, provider, chain, key).map_err(unusable)?),
            None => None,
        };
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector,
            authorities,
            expires_at,
        })
    }

    /// The names of a client's certificate, if an authority of ours vouches for it.
    fn proven_names(&self, chain: &[CertificateDer<'_>]) -> Vec<String> {
        let (Some(authorities), Some((certificate, between))) =
            (&self.authorities, chain.split_first())
        else {
            return Vec::new();
        };
        match authorities.verify_client_cert(certificate, between, UnixTime::now()) {
            Ok(_) => names(certificate),
            Err(_) => Vec::new(),
        }
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

fn connector(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsConnector, rustls::Error> {
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(TlsConnector::from(Arc::new(client)))
}

fn client_verifier(
    roots: &RootCertStore,
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider.clone())
        .build()
        .map_err(|_| CertificateError::NoCertificate {
            path: path.to_owned(),
        })
}

fn in_file(path: &Path) -> impl Fn(pem::Error) -> CertificateError + '_ {
    |source| CertificateError::File {
        path: path.to_owned(),
        source,
    }
}

/// At least one certificate.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(in_file(path))?
        .collect();
    let certificates = certificates.map_err(in_file(path))?;
    if certificates.is_empty() {
        let path = path.to_owned();
        return Err(CertificateError::NoCertificate { path });
    }
    Ok(certificates)
}

fn read_authorities(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        let unusable = |_| CertificateError::NoCertificate {
            path: path.to_owned(),
        };
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    let since_epoch = std::time::Duration::from_secs(seconds);
    Some(UnixTime::since_unix_epoch(since_epoch))
}

/// The SIP domains of a certificate (RFC 5922 §7.1): its SIP URIs without a user, and only where
/// there is none of them its DNS names. The common name counts for nothing.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(extension)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = &extension.value.general_names;
    let uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => sip_domain(uri),
        _ => None,
    });
    let uris: Vec<_> = uris.collect();
    if !uris.is_empty() {
        return uris;
    }
    let dns = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

fn sip_domain(uri: &str) -> Option<String> {
    let uri = engine::sip::Uri::parse(uri.as_bytes()).ok()?;
    let uri = uri.as_sip().filter(|uri| uri.user.is_none())?;
    Some(uri.host.to_string().to_ascii_lowercase())
}

/// Lets in whoever holds the key of the certificate that is shown, whoever vouches for it.
///
/// A certificate that has run out makes its owner a stranger to us, who is known by the source
/// address or not at all; it does not cost the calls of an operator whose address we know. What a
/// certificate proves is decided after the handshake ([`Material::proven_names`]).
#[derive(Debug)]
struct AnyClient(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
