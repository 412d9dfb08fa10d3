//! Which names and values are those of secrets.

/// Parts of the names of fields and of query parameters.
const PARTS: [&str; 16] = [
    "access-key",
    "api-key",
    "apikey",
    "auth-key",
    "authorization",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "passwd",
    "password",
    "private-key",
    "secret",
    "session",
    "subscription-key",
    "xsrf",
];

/// Names that are too common to be looked for inside of others.
const QUERY: [&str; 4] = ["key", "sig", "signature", "x-amz-signature"];

/// Ends of the names of members of JSON, without `-` and `_`. Not `token`, which is what `logprobs` has.
const MEMBERS: [&str; 14] = [
    "accesstoken",
    "apikey",
    "authorization",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "idtoken",
    "password",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretkey",
    "securitytoken",
    "sessiontoken",
];

/// What an OpenAI key begins with, and how long the rest is at least.
const KEY: (&str, usize) = ("sk-", 16);

/// The name of a header.
pub(super) fn is_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let last = name.rsplit('-').next().unwrap_or_default();
    PARTS.iter().any(|part| name.contains(part)) || ["auth", "token"].contains(&last)
}

/// The name of a parameter of a query, decoded.
pub(super) fn is_parameter(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('_', "-");
    QUERY.contains(&lower.as_str()) || lower.ends_with("signature") || is_field(name)
}

/// The name of a member of JSON. One with a hyphen is that of a header.
pub(super) fn is_member(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let plain: String = lower.chars().filter(|letter| !"-_".contains(*letter)).collect();
    MEMBERS.iter().any(|end| plain.ends_with(end)) || (name.contains('-') && is_field(name))
}

/// A value that is a secret whatever its name is: credentials of HTTP, an OpenAI key, a JSON Web Token.
pub(super) fn is_value(value: &str) -> bool {
    let scheme = value.split_once(' ').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if scheme.is_some_and(|scheme| ["basic", "bearer", "negotiate"].contains(&scheme.as_str())) {
        return true;
    }
    let key = value.match_indices(KEY.0).any(|(at, _)| {
        let begins = !value[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
        let rest = value[at + KEY.0.len()..].bytes();
        begins
            && rest.take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count() >= KEY.1
    });
    let token = value.split([' ', ',', ';', '"']).any(|word| {
        let parts: Vec<_> = word.split('.').collect();
        parts.len() == 3 && word.starts_with("eyJ") && parts.iter().all(|part| part.len() > 8)
    });
    key || token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "api-key",
            "x-goog-api-key",
            "X-Amz-Security-Token",
            "x_auth_token",
            "my-secret-thing",
            "Ocp-Apim-Subscription-Key",
            "X-Auth",
            "x-forwarded-access-token",
            "cf-access-jwt-assertion",
        ] {
            assert!(is_field(name), "{name}");
        }
        for name in [
            "content-type",
            "x-ratelimit-remaining-tokens",
            "idempotency-key",
            "x-request-id",
            "www-authenticate",
            "x-author",
        ] {
            assert!(!is_field(name), "{name}");
        }
    }

    #[test]
    fn names_of_parameters_and_members() {
        for name in
            ["key", "api_key", "apikey", "access_token", "token", "sig", "X-Amz-Signature", "client_secret"]
        {
            assert!(is_parameter(name), "{name}");
        }
        for name in ["monkey", "api-version", "max_tokens", "design"] {
            assert!(!is_parameter(name), "{name}");
        }
        for name in ["api_key", "apiKey", "Authorization", "openai_api_key", "access_token", "x-my-token"] {
            assert!(is_member(name), "{name}");
        }
        for name in ["token", "max_tokens", "key", "prompt_cache_key", "secrets", "cookies"] {
            assert!(!is_member(name), "{name}");
        }
    }

    #[test]
    fn values() {
        for value in [
            "Bearer abc",
            "basic dXNlcjpwYXNz",
            "openai-insecure-api-key.sk-proj-abcdefghijklmnop",
            "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
        ] {
            assert!(is_value(value), "{value}");
        }
        for value in
            ["application/json", "task-0123456789abcdefghij", "sk-short", "a.b.c", "Basically anything"]
        {
            assert!(!is_value(value), "{value}");
        }
    }
}
