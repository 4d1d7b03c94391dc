#include "import/presets.h"

#include <algorithm>

#include "import/sql_text.h"

namespace tokend {
namespace {

constexpr std::string_view kPlain = "plain; kept as SHA-256";

constexpr Preset kPresets[] = {
    {.name = "pm_api_token",
     .table = "pm_api_token",
     .columns = "token=token,expires_at=expires,created_at=created_at?,updated_at=updated_at?,"
                "source_id=id?,use_count=usage_count?,status=status?,active=is_active?,"
                "revoked=revoked?,revoked_at=revoked_at?",
     .stored = kPlain},
    {.name = "auth_user_tokens",
     .table = "auth_user_tokens",
     .columns = "token=token,owner=user_id,expires_at=expires_at,scopes=scopes?,status=status?,"
                "type=token_type?,"
                "created_at=created_at?,updated_at=updated_at?,last_used_at=last_used_at?,"
                "source_id=id?,active=is_active?,revoked=revoked?,revoked_at=revoked_at?",
     .stored = kPlain},
    {.name = "api_token",
     .table = "api_token",
     .columns = "key_hex=token,owner=account_id,name=name?,expires_at=expires_at,"
                "created_at=created_at?,updated_at=updated_at?,last_used_at=last_accessed?,"
                "source_id=id?,scopes=scopes?,status=status?,active=is_active?,revoked=revoked?,"
                "revoked_at=revoked_at?",
     .stored = "SHA-256 in hexadecimal digits"},
    {.name = "api_token_bin",
     .table = "api_token_bin",
     .columns = "key_binary=token_hash,owner=owner,revoked=revoked,expires_at=expires_epoch",
     .stored = "SHA-256 in bytes"},

    // laravel/sanctum: PersonalAccessToken::findToken, HasApiTokens::createToken, and its
    // migration. The part before the bar is the row's id; older tokens have none. What the
    // configuration's `expiration` says is not in the table.
    {.name = "laravel-sanctum",
     .table = "personal_access_tokens",
     .prefixed = true,
     .columns = "key_hex=token,owner=tokenable_id,type=tokenable_type,name=name,scopes=abilities,"
                "expires_at=expires_at?,created_at=created_at?,updated_at=updated_at?,"
                "last_used_at=last_used_at?,source_id=id?",
     .scheme = DigestScheme::kSha256AfterBar,
     .stored = "SHA-256, in hexadecimal digits, of what follows the bar; if sanctum.expiration is "
               "set, say it as --lifetime",
     .lifetime_from = Field::kCreatedAt},
    // laravel/passport: Bridge\AccessTokenRepository, TokenRepository::isAccessTokenRevoked;
    // thephpleague/oauth2-server: AccessTokenTrait::convertToJWT.
    {.name = "laravel-passport",
     .table = "oauth_access_tokens",
     .prefixed = true,
     .columns = "token=id,owner=user_id,type=client_id,name=name,scopes=scopes,revoked=revoked,"
                "expires_at=expires_at",
     .stored = "the jti of a JWT",
     .refused = "its id is the jti inside a signed JWT, which whoever presents it does not send by "
                "itself; let the gateway check the JWT's signature, and revoke by its jti"},
    // doorkeeper-gem/doorkeeper: templates/migration.rb.erb, secret_storing/{plain,sha256_hash}.rb,
    // models/concerns/{expirable,revocable}.rb.
    {.name = "doorkeeper",
     .table = "oauth_access_tokens",
     .prefixed = true,
     .columns = "token=token,owner=resource_owner_id,expires_in=expires_in,created_at=created_at,"
                "revoked_at=revoked_at,scopes=scopes,source_id=id?",
     .stored = "plain, kept as SHA-256; with hash_token_secrets say --preset doorkeeper-hashed"},
    {.name = "doorkeeper-hashed",
     .table = "oauth_access_tokens",
     .prefixed = true,
     .columns = "key_hex=token,owner=resource_owner_id,expires_in=expires_in,created_at=created_at,"
                "revoked_at=revoked_at,scopes=scopes,source_id=id?",
     .stored = "SHA-256 in hexadecimal digits, as hash_token_secrets makes it",
     .by_name_only = true},
    // encode/django-rest-framework: authtoken/models.py, authentication.py TokenAuthentication.
    {.name = "drf-authtoken",
     .table = "authtoken_token",
     .columns = "token=key,owner=user_id,created_at=created",
     .stored = "plain, kept as SHA-256; without expiry; presented as \"Token ...\""},
    // jazzband/django-rest-knox 5: crypto.py hash_token, models.py. 4.2 digested the token's bytes
    // and not its text, and older ones a salt with it: those tokens end with the update to 5, too.
    {.name = "django-rest-knox",
     .table = "knox_authtoken",
     .columns = "key_hex=digest,owner=user_id,expires_at=expiry,created_at=created",
     .scheme = DigestScheme::kSha512,
     .stored = "SHA-512 in hexadecimal digits, of release 5; presented as \"Token ...\""},
    // woocommerce/woocommerce: includes/wc-core-functions.php wc_api_hash,
    // class-wc-rest-authentication.php. last_access is in the site's time zone.
    {.name = "woocommerce",
     .table = "woocommerce_api_keys",
     .prefixed = true,
     .columns = "key_hex=consumer_key,owner=user_id,name=description,scopes=permissions,"
                "last_used_at=last_access,source_id=key_id",
     .scheme = DigestScheme::kHmacWcApi,
     .stored = "HMAC-SHA-256 with the key wc-api, in hexadecimal digits; what is presented is the "
               "consumer key, and its secret is not looked at: check that yourself"},
    // nextcloud/server: lib/private/Authentication/Token/PublicKeyTokenProvider.php hashToken,
    // getToken and invalidateOldTokens, PublicKeyToken.php, lib/public/Authentication/Token/
    // IToken.php. Rows of another version are not looked up there; a token of type 2 wipes its
    // device. Sessions are deleted once they are idle, app passwords are not: so each has a preset
    // of its own.
    {.name = "nextcloud",
     .table = "authtoken",
     .prefixed = true,
     .columns = "key_hex=token,owner=uid,name=name,expires_at=expires:epoch_s0,"
                "last_used_at=last_activity:epoch_s,revoked=password_invalid?,source_id=id?",
     .where = "version=2;type=1",
     .scheme = DigestScheme::kSha512WithSecret,
     .secret = "'secret' of config/config.php",
     .stored = "SHA-512 of token and secret, in hexadecimal digits; app passwords only, see "
               "nextcloud-sessions"},
    {.name = "nextcloud-sessions",
     .table = "authtoken",
     .prefixed = true,
     .columns = "key_hex=token,owner=uid,name=name,last_used_at=last_activity:epoch_s,"
                "revoked=password_invalid?,source_id=id?",
     .where = "version=2;type=0",
     .scheme = DigestScheme::kSha512WithSecret,
     .secret = "'secret' of config/config.php",
     .stored = "SHA-512 of token and secret, in hexadecimal digits; session_lifetime is to be said "
               "as --lifetime",
     .lifetime_from = Field::kLastUsedAt,
     .by_name_only = true},
    // grafana/grafana: pkg/services/auth/authimpl/auth_token.go hashToken and LookupToken,
    // pkg/services/sqlstore/migrations/user_auth_token_mig.go. A token is made anew every ten
    // minutes or so (rotated_at); the one before it is in prev_auth_token, and not taken.
    {.name = "grafana",
     .table = "user_auth_token",
     .columns = "key_hex=auth_token,owner=user_id,created_at=created_at:epoch_s,"
                "last_used_at=rotated_at:epoch_s,revoked_at=revoked_at?,source_id=id?",
     .scheme = DigestScheme::kSha256WithSecret,
     .secret = "'secret_key' of [security] in grafana.ini",
     .stored = "SHA-256 of token and secret, in hexadecimal digits; presented as the cookie "
               "grafana_session; login_maximum_inactive_lifetime_duration is to be said as "
               "--lifetime",
     .lifetime_from = Field::kLastUsedAt},
    // matomo-org/matomo: plugins/UsersManager/Model.php hashTokenAuth and
    // getTokenByTokenAuthIfNotExpired, core/Db/Schema/Mysql.php. Times are UTC.
    {.name = "matomo",
     .table = "user_token_auth",
     .prefixed = true,
     .columns = "key_hex=password,owner=login,name=description,expires_at=date_expired,"
                "created_at=date_created,last_used_at=last_used,source_id=idusertokenauth?",
     .where = "hash_algo=sha512",
     .scheme = DigestScheme::kSha512WithSecret,
     .secret = "'salt' of [General] in config/config.ini.php",
     .stored = "SHA-512 of token and salt, in hexadecimal digits; presented as token_auth; "
               "secure_only is not looked at"},
    // strapi/strapi: packages/core/admin/server/src/services/api-token.ts hash,
    // content-types/api-token.ts. A token of kind admin has the rights of its user.
    {.name = "strapi",
     .table = "strapi_api_tokens",
     .columns = "key_hex=access_key,name=name,scopes=type,type=kind?,expires_at=expires_at?,"
                "created_at=created_at?,updated_at=updated_at?,last_used_at=last_used_at?,"
                "source_id=id?",
     .scheme = DigestScheme::kHmacSha512WithSecret,
     .secret = "API_TOKEN_SALT in its environment, or apiToken.salt in config/admin.js",
     .stored =
         "HMAC-SHA-512 with the salt as the key, in hexadecimal digits; permissions of custom "
         "tokens are in another table"},
    // jazzband/django-oauth-toolkit: models.py TokenChecksumField; token_checksum since 3.0.0.
    {.name = "django-oauth-toolkit",
     .table = "oauth2_provider_accesstoken",
     .columns = "key_hex=token_checksum,owner=user_id,expires_at=expires,scopes=scope,"
                "created_at=created,updated_at=updated,source_id=id?",
     .stored = "SHA-256 in hexadecimal digits, beside the plain token"},
    {.name = "django-oauth-toolkit-2",
     .table = "oauth2_provider_accesstoken",
     .columns = "token=token,owner=user_id,expires_at=expires,scopes=scope,created_at=created,"
                "updated_at=updated,source_id=id?",
     .stored = "plain, kept as SHA-256; releases before 3.0"},
    // phpbb/phpbb: session.php session_begin and session_gc. A session lives for session_length
    // after session_time, as its configuration says.
    {.name = "phpbb",
     .table = "sessions",
     .prefixed = true,
     .columns = "token=session_id,owner=session_user_id,created_at=session_start:epoch_s,"
                "last_used_at=session_time:epoch_s",
     .stored = "plain, kept as SHA-256; its session_length is to be said as --lifetime",
     .lifetime_from = Field::kLastUsedAt},
    // magento/magento2: Integration/etc/db_schema.xml, Model/Oauth/Token.php,
    // Model/UserToken/ExpirationValidator.php. An integration's tokens do not expire; an admin's
    // and a customer's do some hours after created_at, as the configuration says.
    {.name = "magento-integration",
     .table = "oauth_token",
     .prefixed = true,
     .columns = "token=token,owner=consumer_id,revoked=revoked,created_at=created_at,"
                "source_id=entity_id?",
     .where = "type=access;user_type=1",
     .stored = "plain, kept as SHA-256; integrations only, see magento-admin and magento-customer"},
    {.name = "magento-admin",
     .table = "oauth_token",
     .prefixed = true,
     .columns = "token=token,owner=admin_id,revoked=revoked,created_at=created_at,"
                "source_id=entity_id?",
     .where = "type=access;user_type=2",
     .stored = "plain, kept as SHA-256; the configured lifetime is to be said as --lifetime",
     .lifetime_from = Field::kCreatedAt,
     .by_name_only = true},
    {.name = "magento-customer",
     .table = "oauth_token",
     .prefixed = true,
     .columns = "token=token,owner=customer_id,revoked=revoked,created_at=created_at,"
                "source_id=entity_id?",
     .where = "type=access;user_type=3",
     .stored = "plain, kept as SHA-256; the configured lifetime is to be said as --lifetime",
     .lifetime_from = Field::kCreatedAt,
     .by_name_only = true},
    // moodle/moodle: lib/db/install.xml, webservice/lib.php authenticate_user. Tokens of another
    // type hang on a session.
    {.name = "moodle",
     .table = "external_tokens",
     .prefixed = true,
     .columns = "token=token,owner=userid,expires_at=validuntil:epoch_s0,"
                "created_at=timecreated:epoch_s,last_used_at=lastaccess:epoch_s,name=name?,"
                "source_id=id?",
     .where = "tokentype=0",
     .stored = "plain, kept as SHA-256; presented as the parameter wstoken"},
    // better-auth/better-auth: packages/api-key/src/schema.ts, index.ts defaultKeyHasher,
    // verify-api-key.ts. Before 1.5.0 referenceId was userId.
    {.name = "better-auth",
     .table = "apikey",
     .columns = "key_base64=key,owner=referenceId,name=name,active=enabled,expires_at=expiresAt,"
                "created_at=createdAt,updated_at=updatedAt,last_used_at=lastRequest,source_id=id?",
     .stored = "SHA-256 in base64; presented as x-api-key; `remaining` is not looked at"},
    {.name = "better-auth-1.4",
     .table = "apikey",
     .columns = "key_base64=key,owner=userId,name=name,active=enabled,expires_at=expiresAt,"
                "created_at=createdAt,updated_at=updatedAt,last_used_at=lastRequest,source_id=id?",
     .stored = "SHA-256 in base64; presented as x-api-key; `remaining` is not looked at"},
    // mattermost/mattermost: user_access_token_store.go GetByToken, model/user_access_token.go;
    // ExpiresAt in newer releases.
    {.name = "mattermost",
     .table = "UserAccessTokens",
     .columns = "token=Token,owner=UserId,name=Description,active=IsActive,"
                "expires_at=ExpiresAt?:epoch_ms0,source_id=Id?",
     .stored = kPlain},
    // chill117/express-mysql-session: schema.sql, index.js; expressjs/session: index.js setcookie.
    {.name = "express-session",
     .table = "sessions",
     .columns = "token=session_id,expires_at=expires:epoch_s",
     .stored =
         "plain, kept as SHA-256; presented is what stands between \"s:\" and the last dot of "
         "the cookie, once its signature is checked"},
    // go-gitea/gitea: models/auth/access_token.go.
    {.name = "gitea",
     .table = "access_token",
     .columns = "key_hex=token_hash,owner=token_salt",
     .stored = "PBKDF2 with a salt of its own for each",
     .refused =
         "each token is hashed with PBKDF2 and a salt of its own, so that none can be looked "
         "up by what is presented; let users make new ones in tokend"},
    // BookStackApp/BookStack: app/Api/ApiTokenGuard.php, UserApiTokenController.php.
    {.name = "bookstack",
     .table = "api_tokens",
     .columns = "key_hex=secret,owner=token_id",
     .stored = "bcrypt",
     .refused = "the secret is hashed with bcrypt and a salt of its own, so that it cannot be "
                "looked up by what is presented; let users make new ones in tokend"},
};

bool IsOfTable(const Preset& preset, std::string_view table) {
  if (EqualsIgnoreCase(preset.table, table)) return true;
  if (!preset.prefixed || table.size() < preset.table.size() + 2) return false;
  const std::string_view end = table.substr(table.size() - preset.table.size());
  return EqualsIgnoreCase(preset.table, end) && table[table.size() - end.size() - 1] == '_';
}

}  // namespace

std::span<const Preset> Presets() { return kPresets; }

const Preset* FindPreset(std::string_view name) {
  const auto* found = std::find_if(std::begin(kPresets), std::end(kPresets),
                                   [name](const Preset& preset) { return preset.name == name; });
  return found == std::end(kPresets) ? nullptr : found;
}

std::vector<const Preset*> PresetsOfTable(std::string_view table) {
  std::vector<const Preset*> found;
  for (const Preset& preset : kPresets) {
    if (!preset.by_name_only && IsOfTable(preset, table)) found.push_back(&preset);
  }
  return found;
}

TableMapping MappingOf(const Preset& preset) {
  TableMapping mapping;
  // A test has read each of them.
  (void)ParseMapping(preset.columns, &mapping).ok();
  std::string_view where = preset.where;
  while (!where.empty()) {
    const size_t end = std::min(where.find(';'), where.size());
    (void)ParseCondition(where.substr(0, end), &mapping.conditions.emplace_back()).ok();
    where.remove_prefix(std::min(end + 1, where.size()));
  }
  return mapping;
}

}  // namespace tokend
