//! The style sheet, the icon and scripts, compiled into the binary and served under names that carry their content's hash.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

/// What an address with a hash in it may be told: its content never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// The address of an asset: `/assets/3f2a….style.css` for `style.css`. Unknown names get an address that answers 404.
pub fn address(name: &str) -> String {
    static ADDRESSES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let hashed = |name: &str| Assets::get(name).map(|file| hex(&file.metadata.sha256_hash()));
        Assets::iter()
            .filter_map(|name| Some((name.to_string(), hashed(&name)?)))
            .collect()
    });
    let known = ADDRESSES.iter().find(|(asset, _)| asset == name);
    known.map_or_else(
        || format!("/assets/{name}"),
        |(name, hash)| format!("/assets/{hash}.{name}"),
    )
}

/// Serves an asset under the address that [`address`] gave.
pub async fn serve(Path(requested): Path<String>) -> Response {
    let Some((_, name)) = requested.split_once('.') else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(file) = Assets::get(name).filter(|_| address(name).ends_with(&requested)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, FOREVER),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, file.data).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Eight bytes of a hash are enough to tell versions apart.
fn hex(hash: &[u8]) -> String {
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_serves_its_asset_and_another_hash_does_not() {
        let style = address("style.css");
        let requested = style.trim_start_matches("/assets/").to_owned();
        let found = serve(Path(requested)).await;
        assert_eq!(found.status(), StatusCode::OK);
        assert_eq!(
            found.headers()[header::CONTENT_TYPE],
            "text/css; charset=utf-8"
        );
        for wrong in [
            "0000000000000000.style.css",
            "style.css",
            "x.nothing.css",
            "",
        ] {
            assert_eq!(
                serve(Path(wrong.to_owned())).await.status(),
                StatusCode::NOT_FOUND,
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_style_sheet_holds_to_the_content_security_policy() {
        let style = String::from_utf8(Assets::get("style.css").unwrap().data.to_vec()).unwrap();
        assert!(
            !style.contains("@import") && !style.contains("http"),
            "nothing is fetched from elsewhere"
        );
    }
}
