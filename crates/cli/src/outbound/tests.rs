use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A name that leads to the test's own server.
const HERE: &str = "here.example";
/// A name that leads into a private network.
const INSIDE: &str = "inside.example";
/// A name that leads to both.
const BOTH: &str = "both.example";

/// Names as a test has them, and which of them were asked for.
#[derive(Default)]
struct Names {
    addresses: BTreeMap<&'static str, Vec<IpAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        self.asked.lock().unwrap().push(name.as_str().to_owned());
        let addresses = self.addresses.get(name.as_str()).cloned().unwrap_or_default();
        Box::pin(async move {
            let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// A client to which 127.0.0.1 counts as public, by plain http too.
pub(crate) fn outbound() -> Outbound {
    outbound_with(Arc::new(names()))
}

fn names() -> Names {
    let (here, inside) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 7]));
    let addresses = [(HERE, vec![here]), (INSIDE, vec![inside]), (BOTH, vec![here, inside])];
    Names { addresses: addresses.into(), asked: Mutex::default() }
}

fn outbound_with(names: Arc<Names>) -> Outbound {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let may_connect = |ip| is_public(ip) || ip == IpAddr::from([127, 0, 0, 1]);
    Outbound::reaching(Reach { schemes: &["https", "http"], may_connect }, names).unwrap()
}

/// A server that answers paths as it is told; its URL by name.
pub(crate) async fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                request.push(byte);
            }
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap_or_default();
            // Whoever has seen enough hangs up.
            let _ = stream.write_all(&answer(path)).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("http://{HERE}:{port}")
}

/// An answer with a body of known length.
pub(crate) fn found(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn redirect_to(location: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\n");
    format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn each_private_network_is_private_from_its_first_address_to_its_last() {
    for (what, addresses) in [
        ("this host", "0.0.0.0 0.255.255.255"),
        ("private", "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255"),
        ("carriers' translators, a cloud's metadata", "100.64.0.0 100.100.100.200 100.127.255.255"),
        ("loopback", "127.0.0.0 127.0.0.1 127.255.255.255"),
        ("a cloud's platform", "168.63.129.16"),
        ("link-local, most clouds' metadata", "169.254.0.0 169.254.169.254 169.254.255.255"),
        ("protocols', a cloud's metadata", "192.0.0.0 192.0.0.192 192.0.0.255"),
        ("documentation", "192.0.2.0 192.0.2.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255"),
        ("relays", "192.88.99.0 192.88.99.255"),
        ("benchmarks", "198.18.0.0 198.19.255.255"),
        ("multicast", "224.0.0.0 239.255.255.255"),
        ("reserved, broadcast", "240.0.0.0 255.255.255.255"),
        ("unspecified, loopback, compatible with IPv4", ":: ::1 ::10.0.0.1 ::8.8.8.8"),
        ("mapped from IPv4", "::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254"),
        ("translated", "64:ff9b::10.0.0.1 64:ff9b::169.254.169.254"),
        ("translated locally", "64:ff9b:1::8.8.8.8 64:ff9b::1:808:808"),
        ("discarded", "100:: 100::ffff"),
        ("Teredo and other protocols'", "2001:: 2001:0:53aa:64c::1 2001:1ff:ffff::"),
        ("documentation", "2001:db8:: 2001:db8:ffff:ffff::1 3fff:: 3fff:fff:ffff::"),
        ("6to4", "2002:7f00:1:: 2002:808:808::1"),
        ("private, a cloud's metadata", "fc00:: fd00:ec2::254 fdff:ffff::"),
        ("link-local, site-local", "fe80:: fe80::1 febf:ffff:: fec0::"),
        ("multicast", "ff00:: ff02::1"),
        ("nobody's", "1fff:ffff:: 4000::"),
    ] {
        for text in addresses.split(' ') {
            assert!(!is_public(ip(text)), "{text}: {what}");
        }
    }
}

#[test]
fn what_lies_beside_them_is_public() {
    for addresses in [
        "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0",
        "168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255",
        "192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0",
        "198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255",
        "::ffff:8.8.8.8 64:ff9b::8.8.8.8 2000:: 2001:200:: 2001:4860:4860::8888 2001:db7:ffff:: 2001:db9::",
        "2003:: 2606:4700::1111 3ffe:ffff:: 3fff:1000::",
    ] {
        for text in addresses.split(' ') {
            assert!(is_public(ip(text)), "{text}");
        }
    }
}

#[tokio::test]
async fn what_a_url_says_is_refused_before_anybody_is_asked() {
    use OutboundError::{HasUser, NotAUrl, NotEncrypted, NotPublic};

    let _ = rustls::crypto::ring::default_provider().install_default();
    let names = Arc::new(names());
    let reach = Reach { schemes: &["https"], may_connect: is_public };
    let public = Outbound::reaching(reach, Arc::clone(&names) as Arc<dyn Resolve>).unwrap();
    let loopback = || NotPublic(ip("127.0.0.1"));
    for (url, expected) in [
        ("", NotAUrl),
        ("pictures/1.png", NotAUrl),
        ("data:,1", NotAUrl),
        ("file:///etc/passwd", NotAUrl),
        ("http://here.example/1.png", NotEncrypted),
        ("ftp://here.example/1.png", NotEncrypted),
        ("https://user@here.example/1.png", HasUser),
        ("https://:password@here.example/1.png", HasUser),
        ("https://127.0.0.1/1.png", loopback()),
        ("https://127.1/1.png", loopback()),
        ("https://2130706433/1.png", loopback()),
        ("https://0x7f000001/1.png", loopback()),
        ("https://0177.0.0.1/1.png", loopback()),
        ("https://[::ffff:7f00:1]/1.png", NotPublic(ip("::ffff:127.0.0.1"))),
        ("https://169.254.169.254/latest/meta-data/", NotPublic(ip("169.254.169.254"))),
        ("https://[fd00:ec2::254]/", NotPublic(ip("fd00:ec2::254"))),
    ] {
        assert_eq!(public.get(url, 100).await, Err(expected), "{url}");
    }
    assert!(names.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_name_is_as_good_as_its_worst_address() {
    let here = serve(|_| found(b"a picture")).await;
    let names = Arc::new(names());
    let outbound = outbound_with(Arc::clone(&names));
    assert_eq!(outbound.get(&here, 100).await.unwrap(), b"a picture");
    let private = Err(OutboundError::NotPublic(ip("10.0.0.7")));
    assert_eq!(outbound.get(&here.replace(HERE, INSIDE), 100).await, private);
    assert_eq!(outbound.get(&here.replace(HERE, BOTH), 100).await, private);
    assert_eq!(*names.asked.lock().unwrap(), [HERE, INSIDE, BOTH]);
    let nowhere = outbound.get("https://nowhere.example/", 100).await;
    assert!(matches!(nowhere, Err(OutboundError::Failed(_))), "{nowhere:?}");
}

#[tokio::test]
async fn every_redirect_is_looked_at_again() {
    let here = serve(|path| match path {
        "/good" => redirect_to("/picture"),
        "/literal" => redirect_to("http://192.168.1.1/"),
        "/loopback" => redirect_to("http://[::1]/"),
        "/name" => redirect_to(&format!("http://{INSIDE}/")),
        "/file" => redirect_to("file:///etc/passwd"),
        "/user" => redirect_to("http://user@8.8.8.8/"),
        "/round" => redirect_to("/round"),
        "/5" => redirect_to("/4"),
        "/4" => redirect_to("/3"),
        "/3" => redirect_to("/2"),
        "/2" => redirect_to("/good"),
        _ => found(b"a picture"),
    })
    .await;
    let outbound = outbound();
    let get = async |path: &str| outbound.get(&format!("{here}{path}"), 100).await;
    assert_eq!(get("/good").await.unwrap(), b"a picture");
    assert_eq!(get("/5").await.unwrap(), b"a picture", "five are allowed");
    assert_eq!(get("/literal").await, Err(OutboundError::NotPublic(ip("192.168.1.1"))));
    assert_eq!(get("/loopback").await, Err(OutboundError::NotPublic(ip("::1"))));
    assert_eq!(get("/name").await, Err(OutboundError::NotPublic(ip("10.0.0.7"))));
    assert_eq!(get("/user").await, Err(OutboundError::HasUser));
    assert_eq!(get("/round").await, Err(OutboundError::Redirects));
    assert!(get("/file").await.is_err());
}

#[tokio::test]
async fn in_1_no_more_is_read_than_there_is_room_for() {
    let endless = |bytes: usize| {
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        [head, vec![b'x'; bytes]].concat()
    };
    let here = serve(move |path| match path {
        "/100" => found(&[b'x'; 100]),
        "/101" => found(&[b'x'; 101]),
        "/unknown/100" => endless(100),
        "/unknown/101" => endless(101),
        "/unknown/large" => endless(10 << 20),
        "/lie" => b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
    })
    .await;
    let outbound = outbound();
    let get = async |path: &str| outbound.get(&format!("{here}{path}"), 100).await.map(|body| body.len());
    let too_large = Err(OutboundError::TooLarge(100));
    assert_eq!((get("/100").await, get("/unknown/100").await), (Ok(100), Ok(100)));
    for path in ["/101", "/unknown/101", "/unknown/large", "/lie"] {
        assert_eq!(get(path).await, too_large, "{path}");
    }
    assert_eq!(get("/nothing").await, Err(OutboundError::Status(404)));
}
