//! The hosted page, for a person in a browser. It works without scripts, and says that no money moves.

use std::sync::Arc;

use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use url::Url;

use crate::audit::Act;
use crate::calls::{METHODS, SESSION_TEMPLATE};
use crate::currency;
use crate::objects::{Intent, IntentStatus, Session, SessionStatus};
use crate::server::{Request, Response, Unanswered, html_response, response};
use crate::shared::Shared;
use crate::state::BuyerError;
use crate::webhooks;

const STYLE: &str = include_str!("page.css");

/// The languages of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    English,
    Chinese,
}

impl Language {
    fn of(session: Option<&Session>, request: &Request) -> Self {
        let wanted = session.and_then(|session| session.locale.as_deref()).filter(|locale| *locale != "auto");
        match wanted {
            Some(locale) if locale.starts_with("zh") => Self::Chinese,
            Some(_) => Self::English,
            None => Self::accepted(request.header(ACCEPT_LANGUAGE).unwrap_or_default()),
        }
    }

    /// The one of both that the header prefers.
    fn accepted(header: &str) -> Self {
        let weight = |language: &str| {
            let entries = header.split(',').filter_map(|entry| {
                let mut parts = entry.split(';').map(str::trim);
                let name = parts.next()?.to_ascii_lowercase();
                let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
                (name.split('-').next() == Some(language)).then_some(weight)
            });
            entries.fold(0.0, f32::max)
        };
        if weight("zh") > weight("en") { Self::Chinese } else { Self::English }
    }

    fn tag(self) -> &'static str {
        self.say("en", "zh-CN")
    }

    fn say(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

pub(crate) async fn respond(shared: &Arc<Shared>, request: &Request) -> Result<Response, Unanswered> {
    let parts: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
    let get = matches!(request.method, Method::GET | Method::HEAD);
    match parts.as_slice() {
        ["stand-in.css"] if get => Ok(response(StatusCode::OK, "text/css; charset=utf-8", STYLE)),
        ["pay", id] if get => Ok(show(shared, request, id)),
        ["pay", id, act] if request.method == Method::POST => act_on(shared, request, id, act).await,
        ["pay", _] | ["pay", _, _] => Ok(html_response(StatusCode::METHOD_NOT_ALLOWED, String::new())),
        _ => {
            let language = Language::of(None, request);
            Ok(page(StatusCode::NOT_FOUND, language, None, &nothing_here(language)))
        }
    }
}

fn show(shared: &Shared, request: &Request, id: &str) -> Response {
    // What is past its time is shown as such.
    let found = shared.change(|state, _| {
        let session = state.sessions.get(id).cloned()?;
        let intent = session.intent.as_ref().and_then(|id| state.intents.get(id)).cloned();
        Some((session, intent))
    });
    let Ok(Some((session, intent))) = found else {
        let language = Language::of(None, request);
        return page(StatusCode::NOT_FOUND, language, None, &nothing_here(language));
    };
    let language = Language::of(Some(&session), request);
    page(StatusCode::OK, language, Some(&session), &content(language, &session, intent.as_ref(), shared.settle_after))
}

/// A buyer has pressed a button.
async fn act_on(shared: &Arc<Shared>, request: &Request, id: &str, act: &str) -> Result<Response, Unanswered> {
    let fields = url::form_urlencoded::parse(&request.body);
    let method = fields.into_iter().find(|(name, _)| name == "method").map(|(_, method)| method.into_owned());
    let method = method.filter(|method| METHODS.contains(&method.as_str())).unwrap_or_else(|| METHODS[0].to_owned());
    let after = shared.settle_after;
    let (act, ends) = match act {
        "pay" => (Act::Pay(method), true),
        "decline" => (Act::Decline(method), false),
        "pay-later" => (Act::PayLater(method, Some((after, true))), true),
        "fail-later" => (Act::PayLater(method, Some((after, false))), true),
        "settle" => (Act::Settle(true), true),
        "fail" => (Act::Settle(false), true),
        _ => {
            let language = Language::of(None, request);
            return Ok(page(StatusCode::NOT_FOUND, language, None, &nothing_here(language)));
        }
    };
    let changed = shared.transact(|state, now| act.perform(state, id, now));
    let (result, early) = changed.map_err(|error| Unanswered(error.to_string()))?;
    webhooks::send_early(shared, early).await;
    let session = shared.read(|state| state.sessions.get(id).cloned());
    match (result, session) {
        (Ok(()), Some(session)) if ends => Ok(redirect(&session.success_page())),
        // What is not there, and what is in another state, is shown as it is.
        (
            Ok(())
            | Err(BuyerError::State(..) | BuyerError::Amount { .. } | BuyerError::File(_) | BuyerError::Unknown(_)),
            _,
        ) => Ok(redirect(&format!("/pay/{id}"))),
    }
}

impl Session {
    /// Where the buyer goes after paying.
    pub(crate) fn success_page(&self) -> String {
        self.success_url.replace(SESSION_TEMPLATE, &self.id)
    }

    /// Where the buyer goes who leaves.
    pub(crate) fn cancel_page(&self) -> Option<String> {
        Some(self.cancel_url.as_ref()?.replace(SESSION_TEMPLATE, &self.id))
    }
}

fn redirect(to: &str) -> Response {
    let mut response = html_response(StatusCode::SEE_OTHER, String::new());
    if let Ok(to) = HeaderValue::from_str(Url::parse(to).as_ref().map_or(to, Url::as_str)) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

fn nothing_here(language: Language) -> String {
    let text = language.say("There is no such payment here.", "这里没有这笔付款。");
    format!("<h1>{text}</h1>")
}

fn content(language: Language, session: &Session, intent: Option<&Intent>, settle_after: i64) -> String {
    let say = |english, chinese| language.say(english, chinese);
    let status = intent.map(|intent| intent.status);
    let id = escape(&session.id);
    let button = |act: &str, class: &str, text: &str| {
        format!("<button formaction=\"/pay/{id}/{act}\" class=\"{class}\">{text}</button>")
    };
    let back = |text: &str, url: &str| format!("<p><a href=\"{}\">{text}</a></p>", escape(url));
    let rest = match (session.status, status) {
        (SessionStatus::Open, _) => {
            let declined = status == Some(IntentStatus::RequiresPaymentMethod);
            let notice = if declined {
                let text = say("Your payment was declined. You can try again.", "您的付款被拒绝，可以重试。");
                format!("<p class=\"bad\" role=\"alert\">{text}</p>")
            } else {
                String::new()
            };
            let options: String = session.methods.iter().map(|method| method_option(language, method)).collect();
            let label = say("Means of payment", "付款方式");
            let later = match language {
                Language::English => format!("Pay later (arrives in {settle_after} s)"),
                Language::Chinese => format!("稍后付款（{settle_after} 秒后到账）"),
            };
            let fail = match language {
                Language::English => format!("Pay later (fails in {settle_after} s)"),
                Language::Chinese => format!("稍后付款（{settle_after} 秒后失败）"),
            };
            let buttons = [
                button("pay", "main", say("Pay", "付款")),
                button("decline", "", say("Be declined", "付款被拒")),
                button("pay-later", "", &later),
                button("fail-later", "", &fail),
            ]
            .concat();
            let leave = session.cancel_page();
            let leave = leave.map(|url| back(say("Leave without paying", "不付款，返回"), &url)).unwrap_or_default();
            format!(
                "{notice}<form method=\"post\" action=\"/pay/{id}/pay\"><label>{label}<select name=\"method\">{options}\
                 </select></label>{buttons}</form>{leave}"
            )
        }
        (SessionStatus::Complete, Some(IntentStatus::Processing)) => {
            let text = say("The payment is being processed.", "付款正在处理中。");
            let now = say("It arrives now", "现在到账");
            let fail = say("It fails now", "现在失败");
            let buttons = [button("settle", "main", now), button("fail", "", fail)].concat();
            let link = back(say("Back to the shop", "返回商店"), &session.success_page());
            format!("<p>{text}</p><form method=\"post\" action=\"/pay/{id}/settle\">{buttons}</form>{link}")
        }
        (SessionStatus::Complete, _) if session.paid => {
            let text = say("This is paid.", "已付款。");
            format!(
                "<p class=\"good\">{text}</p>{}",
                back(say("Back to the shop", "返回商店"), &session.success_page())
            )
        }
        (SessionStatus::Complete, _) => {
            let text = say("The payment has failed.", "付款失败。");
            format!("<p class=\"bad\">{text}</p>{}", back(say("Back to the shop", "返回商店"), &session.success_page()))
        }
        (SessionStatus::Expired, _) => {
            let text = say("This can no longer be paid.", "已无法付款。");
            let link = session.cancel_page().map(|url| back(say("Back to the shop", "返回商店"), &url));
            format!("<p class=\"bad\">{text}</p>{}", link.unwrap_or_default())
        }
    };
    let lines: String = session
        .lines
        .iter()
        .map(|line| {
            let amount = currency::format(line.unit_amount * line.quantity, &session.currency);
            format!("<tr><td>{}</td><td>× {}</td><td>{amount}</td></tr>", escape(&line.name), line.quantity)
        })
        .collect();
    let total = currency::format(session.amount, &session.currency);
    let total_label = say("Total", "合计");
    format!(
        "<h1>{total}</h1><table><tbody>{lines}</tbody><tfoot><tr><th scope=\"row\" colspan=\"2\">{total_label}</th>\
         <td>{total}</td></tr></tfoot></table>{rest}"
    )
}

fn method_option(language: Language, method: &str) -> String {
    let name = match method {
        "card" => language.say("Card", "银行卡"),
        "alipay" => language.say("Alipay", "支付宝"),
        "wechat_pay" => language.say("WeChat Pay", "微信支付"),
        other => return format!("<option>{}</option>", escape(other)),
    };
    format!("<option value=\"{method}\">{name}</option>")
}

/// The whole page.
fn page(status: StatusCode, language: Language, session: Option<&Session>, content: &str) -> Response {
    let title = language.say("Payment (stand-in)", "付款（模拟）");
    let notice = language.say(
        "This is a stand-in for Stripe, for trying things out. No money moves.",
        "这是 Stripe 的模拟程序，仅供试用。不会有真实的资金流动。",
    );
    let html = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/stand-in.css\"></head><body><main><p class=\"notice\" role=\"note\">{notice}</p>\
         {content}</main></body></html>\n",
        language.tag()
    );
    let mut response = html_response(status, html);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&policy(session)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What the page may load and where its buttons may lead. A browser holds `form-action` against redirects, too.
fn policy(session: Option<&Session>) -> String {
    let urls = session.into_iter().flat_map(|session| [Some(session.success_page()), session.cancel_page()]);
    let origins = urls.flatten().filter_map(|url| Some(Url::parse(&url).ok()?.origin().ascii_serialization()));
    let origins: Vec<_> = origins.collect();
    format!(
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self' {}",
        origins.join(" ")
    )
}

/// A text within HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_prefers() {
        for (header, language) in [
            ("", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB, zh;q=0.5", Language::English),
            ("de, zh;q=0.1", Language::Chinese),
            ("fr", Language::English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    #[test]
    fn text_of_a_shop_is_no_markup() {
        assert_eq!(escape("<b a=\"1\" b='2'>&"), "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;");
    }
}
