//! The rows: number, whether it is a refusal of a token, title in Twilio's dictionary, product where the number alone
//! tells it, causes that agree with it, and its own messages as SDKs and servers print them.

use super::Code;
use crate::cause::Cause;
use crate::product::Product;

macro_rules! codes {
    ($($number:literal $kind:ident $title:literal $(($product:ident))? $(=> [$($cause:ident),*])? $(says [$($message:literal),*])?;)*) => {
        &[$(Code {
            number: $number,
            title: $title,
            counts: codes!(@$kind),
            causes: &[$($(Cause::$cause),*)?],
            product: codes!(@product $($product)?),
            messages: &[$($($message),*)?],
        }),*]
    };
    (@counts) => { true };
    (@ignored) => { false };
    (@product) => { None };
    (@product $product:ident) => { Some(Product::$product) };
}

/// The table, ascending by number. Twilio warns that the causes of its codes change: here is the place to follow it.
#[rustfmt::skip]
pub(super) const CODES: &[Code] = codes! {
    9221 counts "(internal) Expired token" => [Expired] says ["Expired token"];
    9401 counts "(internal) JwtAuthorizationException: Signature does not match the content of the request" => [SignatureInvalid, WrongSecret, Tampered] says ["JwtAuthorizationException", "Signature does not match the content of the request"];
    20003 ignored "Permission Denied / Authenticate";
    20101 counts "Invalid Access Token" says ["Invalid Access Token", "Invalid access token", "AccessTokenInvalid", "Twilio was unable to validate your Access Token"];
    20102 counts "Invalid Access Token header" => [HeaderInvalid, AlgorithmUnsupported] says ["Invalid Access Token header", "AccessTokenHeaderInvalid"];
    20103 counts "Invalid Access Token issuer/subject" => [IssuerInvalid, AccountInvalid, AccountMismatch, KeyNotAllowed] says ["Invalid Access Token issuer/subject", "AccessTokenIssuerInvalid"];
    20104 counts "Access Token expired or expiration date invalid" => [Expired, StaleReuse, LifetimeTooLong, TimeClaimInvalid] says ["Access Token expired or expiration date invalid", "AccessTokenExpired"];
    20105 counts "Access Token not yet valid" => [NotYetValid] says ["Access Token not yet valid", "AccessTokenNotYetValid"];
    20106 counts "Invalid Access Token grants" => [GrantsMalformed, GrantsMissing, ProductGrantMissing, GrantIncomplete, GrantSidInvalid, IdentityMissing, IdentityInvalid] says ["Invalid Access Token grants", "AccessTokenGrantsInvalid"];
    20107 counts "Invalid Access Token signature" => [SignatureInvalid, WrongSecret, Tampered] says ["Invalid Access Token signature", "AccessTokenSignatureInvalid"];
    20151 counts "Authentication Failed" says ["Authentication Failed", "AuthenticationFailed", "The authorization with Token failed"];
    20152 counts "Invalid Header" => [HeaderInvalid] says ["Invalid Header"];
    20153 counts "Invalid Issuer Or Subject" => [IssuerInvalid, AccountInvalid, AccountMismatch] says ["Invalid Issuer Or Subject"];
    20154 counts "Invalid Claim Set" says ["Invalid Claim Set", "Invalid Token claims set"];
    20155 counts "Expiration Time In The Future" => [NotYetValid] says ["Expiration Time In The Future", "JWT is not yet valid"];
    20156 counts "Expired or Invalid Expiration in Token" => [Expired, TimeClaimInvalid] says ["Expired or Invalid Expiration in Token"];
    20157 counts "Expiration Time Exceeds Maximum Time Allowed" => [LifetimeTooLong, TimeClaimInvalid] says ["Expiration Time Exceeds Maximum Time Allowed", "ExpirationTimeExceedsMaxTimeAllowed"];
    20159 counts "Invalid Signature" => [SignatureInvalid, WrongSecret, Tampered] says ["Invalid Signature"];
    20160 counts "Invalid Token" says ["Invalid Token"];
    20403 ignored "403 Forbidden";
    21218 ignored "Invalid ApplicationSid" (Voice);
    31102 counts "Authorization token missing in request" (Voice) => [NotAToken] says ["Authorization token missing in request"];
    31105 counts "Invalid client name" (Voice) => [IdentityInvalid] says ["Invalid client name"];
    31201 counts "Authentication/Authorization error" (Voice) says ["Authentication/Authorization error", "AuthorizationError"];
    31202 counts "Signature validation failed." (Voice) => [SignatureInvalid, WrongSecret, Tampered] says ["Signature validation failed"];
    31203 counts "No valid account." (Voice) => [AccountInvalid, AccountMismatch] says ["No valid account"];
    31204 counts "Invalid JWT token." (Voice) says ["Invalid JWT token", "JWT is invalid", "JWTTokenInvalid"];
    31205 counts "JWT token expired." (Voice) => [Expired, StaleReuse] says ["JWT token expired", "JWT expired", "JWTTokenExpired"];
    31207 counts "JWT token expiration too long." (Voice) => [LifetimeTooLong] says ["JWT token expiration too long", "JWTTokenExpirationTooLong"];
    31301 ignored "Registration error" (Voice);
    31403 ignored "Forbidden" (Voice);
    50385 ignored "Conversations are disabled in this region" (Chat);
    51001 ignored "Client Connection: Connections resource limit exceeded";
    51002 ignored "Client Connection: Request rate limit exceeded";
    51003 counts "Client Connection: identity too long" => [IdentityInvalid] says ["identity too long"];
    51004 ignored "Client Connection: endpoint_id too long";
    51005 ignored "Client Connection: Command or keepalive acknowledgement not received";
    51006 ignored "Client Connection: Connection expired";
    51007 counts "Client Connection: Token authentication is rejected" says ["Token authentication is rejected", "TokenAuthenticationRejected"];
    51101 counts "Twilsock: Service instance not found" => [GrantSidInvalid] says ["Service instance not found"];
    51102 counts "Twilsock: Service instance SID not specified" => [GrantIncomplete] says ["Service instance SID not specified"];
    51103 counts "Twilsock: Token doesn't contain required grants section" => [GrantsMissing] says ["Token doesn't contain required grants section"];
    51104 counts "Twilsock: Token doesn't contain service instance" => [GrantIncomplete, GrantSidInvalid] says ["Token doesn't contain service instance"];
    51105 counts "Twilsock: Token doesn't contain identity" => [IdentityMissing] says ["Token doesn't contain identity"];
    51106 counts "Twilsock: Active product doesn't match with service instance product" => [ProductGrantMissing, GrantSidInvalid] says ["Active product doesn't match with service instance product"];
    51107 ignored "Twilsock: Service can't be used";
    51108 ignored "Twilsock: Service instance disabled";
    51109 ignored "Twilsock: Service instance is under legal hold";
    51110 counts "Twilsock: Token contains multiple grants of same product" => [GrantsMalformed] says ["Token contains multiple grants of same product"];
    51111 ignored "Twilsock: Service instance limit reached";
    51112 ignored "Twilsock: Product usage disabled";
    51113 ignored "Twilsock: Product usage is not enabled";
    51114 counts "Twilsock: Invalid access token header" => [HeaderInvalid] says ["Invalid access token header"];
    51115 counts "Twilsock: Invalid access token subject" => [AccountInvalid, IssuerInvalid, AccountMismatch] says ["Invalid access token subject"];
    51116 counts "Twilsock: Invalid access token grants" => [GrantsMalformed, GrantsMissing, ProductGrantMissing, GrantIncomplete] says ["Invalid access token grants"];
    51117 counts "Twilsock: Invalid access token signature" => [SignatureInvalid, WrongSecret, Tampered] says ["Invalid access token signature"];
    51118 counts "Twilsock: Invalid claim set" says ["Invalid claim set"];
    51119 counts "Twilsock: Token expired" => [Expired, StaleReuse] says ["Token expired"];
    51120 counts "Twilsock: Token is not valid yet" => [NotYetValid] says ["Token is not valid yet"];
    51121 counts "Twilsock: Token expiration time exceeds maximum" => [LifetimeTooLong] says ["Token expiration time exceeds maximum"];
    51122 counts "Twilsock: Authentication failed" says ["Authentication failed"];
    51123 ignored "Twilsock: Upstream not resolved";
    51124 ignored "Twilsock: Too many connections";
    51125 ignored "Twilsock: Too many updates";
    51126 ignored "Twilsock: DNC limit has been reached";
    51127 ignored "Twilsock: PNC limit has been";
    51128 ignored "Twilsock: Too many messages per connection";
    51129 ignored "Twilsock: Too many messages per account";
    51130 counts "Twilsock: Token is invalid!" => [NotAToken, Malformed, Truncated] says ["Token is invalid"];
    51131 counts "Twilsock: Authentication failed" says ["Authentication failed"];
    51201 ignored "Twilsock : CPS, Init per Account";
    51202 ignored "Twilsock : CPS, Too many requests";
    51215 counts "Twilsock: Unauthorized" says ["Unauthorized"];
    52002 ignored "Invalid Credential Sid";
    52004 ignored "Credential SID not specified";
    52162 ignored "Credentials do not belong to used account";
    53000 ignored "Signaling connection error";
    53001 ignored "Signaling connection disconnected";
    53200 counts "Participant identity is invalid" (Video) => [IdentityInvalid] says ["Participant identity is invalid", "ParticipantIdentityInvalid"];
    53201 counts "Participant identity is too long" (Video) => [IdentityInvalid] says ["Participant identity is too long", "ParticipantIdentityTooLong"];
    53202 counts "Participant identity contains invalid characters" (Video) => [IdentityInvalid] says ["Participant identity contains invalid characters", "ParticipantIdentityCharactersInvalid"];
    54007 ignored "Access forbidden for identity" (Sync);
    54050 ignored "Service Instance not found" (Sync);
    54056 ignored "Account cannot access requested Service Instance" (Sync);
    54351 counts "Invalid identity" (Sync) => [IdentityInvalid] says ["Invalid identity"];
};
