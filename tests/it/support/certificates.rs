//! Authorities made for a test, and what they sign.

use std::{fs, net::Ipv4Addr, path::Path, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
};

/// The names of files in a folder.
pub(crate) const CERTIFICATE: &str = "certificate.pem";
pub(crate) const KEY: &str = "certificate.key";
pub(crate) const AUTHORITIES: &str = "authorities.pem";

/// Whom a node believes to be its operator.
pub(crate) const OPERATOR: &str = "operator-a.example";

/// The configuration of a node that listens on TLS instead of TCP, knows its operator by nothing but
/// the certificate, and has its files beside it.
pub(crate) fn over_tls(configuration: &str) -> String {
    let by_source = "sources = [\"127.0.0.0/8\"]";
    assert!(configuration.contains(by_source));
    configuration
        .replace("transport = \"tcp\"", "transport = \"tls\"")
        .replace(by_source, &format!("certificates = [\"{OPERATOR}\"]"))
        + &format!(
            "\n[tls]\ncertificate = \"{CERTIFICATE}\"\nkey = \"{KEY}\"\nauthorities = \
             \"{AUTHORITIES}\"\n"
        )
}

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name), key()).unwrap();
        Self(issuer)
    }

    /// One that this one has signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let issuer = CertifiedIssuer::signed_by(authority(name), key(), &self.0).unwrap();
        Self(issuer)
    }

    pub(crate) fn issue(&self, request: &CertificateParams) -> Identity {
        let key = key();
        let certificate = request.signed_by(&key, &self.0).unwrap();
        Identity {
            chain: vec![certificate.der().clone()],
            pem: certificate.pem(),
            key,
        }
    }

    /// Writes it into a folder as the one that is believed there.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join(AUTHORITIES), self.0.pem()).unwrap();
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        roots
    }

    /// How a client speaks that believes this authority, and shows a certificate if it has one.
    pub(crate) fn client(&self, identity: Option<&Identity>) -> ClientConfig {
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        match identity {
            Some(one) => client
                .with_client_auth_cert(one.chain.clone(), one.private_key())
                .unwrap(),
            None => client.with_no_client_auth(),
        }
    }

    /// How a client speaks that knows one version of TLS only, shows one's certificate, and signs with
    /// another's key.
    pub(crate) fn client_of(
        &self,
        version: &'static SupportedProtocolVersion,
        shown: &Identity,
        signer: &Identity,
    ) -> ClientConfig {
        let provider = provider();
        let key = provider.key_provider.load_private_key(signer.private_key());
        let shown = CertifiedKey::new(shown.chain.clone(), key.unwrap());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)))
    }

    /// How a server speaks that lets in only whom this authority vouches for.
    pub(crate) fn server(&self, identity: &Identity) -> ServerConfig {
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider())
                .build()
                .unwrap();
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(identity.chain.clone(), identity.private_key())
            .unwrap()
    }
}

/// A certificate and its key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    pem: String,
    key: KeyPair,
}

impl Identity {
    /// Writes it into a folder as that of who runs there.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join(CERTIFICATE), &self.pem).unwrap();
        self.write_key(folder);
    }

    pub(crate) fn write_key(&self, folder: &Path) {
        fs::write(folder.join(KEY), self.key.serialize_pem()).unwrap();
    }

    /// Shown together with the authority that stands between it and one that is believed.
    pub(crate) fn shown_with(mut self, between: &Authority) -> Self {
        self.chain.push(between.certificate());
        self
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

/// A certificate for loopback, which ends with the year 2098.
pub(crate) fn loopback() -> CertificateParams {
    let mut request = with_names("node", []);
    request
        .subject_alt_names
        .push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
    request.not_after = rcgen::date_time_ymd(2099, 1, 1);
    request
}

/// The certificate of the operator's session border controller.
pub(crate) fn operator() -> CertificateParams {
    with_names("sbc", [format!("URI:sip:{OPERATOR}").as_str()])
}

/// A certificate with this common name and these subject alternative names: `URI:` and `DNS:` say
/// which.
pub(crate) fn with_names<'a>(
    common_name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> CertificateParams {
    let mut request = CertificateParams::default();
    request.distinguished_name = named(common_name);
    let names = names.into_iter().map(|name| match name.split_once(':') {
        Some(("URI", uri)) => SanType::URI(uri.try_into().unwrap()),
        Some(("DNS", name)) => SanType::DnsName(name.try_into().unwrap()),
        _ => panic!("{name}: no kind of name"),
    });
    request.subject_alt_names = names.collect();
    request
}

fn authority(name: &str) -> CertificateParams {
    let mut request = CertificateParams::default();
    request.distinguished_name = named(name);
    request.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    request.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    request
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
