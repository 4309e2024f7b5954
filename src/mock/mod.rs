//! stub
#[derive(Default)]
pub struct Options {
    pub demo: bool,
}
pub struct Mock;
impl Mock {
    pub async fn bind(_a: std::net::SocketAddr, _o: Options) -> std::io::Result<Mock> {
        Ok(Mock)
    }
    pub async fn serve(self, f: impl Future<Output = ()>) {
        f.await
    }
}
