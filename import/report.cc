#include "import/report.h"

#include <array>

namespace tokend {
namespace {

struct Reason {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<Reason, kRefusalReasons> kReasons = {{
    {"null_token", "the token is NULL"},
    {"empty_token", "the token is empty"},
    {"token_too_long", "the token is longer than 65536 bytes"},
    {"bad_key", "the digest is not 32 bytes, or not 64 hexadecimal digits"},
    {"password_hash", "the token is a salted hash such as bcrypt, which cannot be looked up"},
    {"zero_date", "the expiry is a zero date"},
    {"bad_time", "the expiry is not a time that can be kept"},
    {"bad_flag", "whether it is revoked cannot be told from the column's value"},
    {"bad_text", "text is not valid in its character set"},
    {"bad_charset", "text is in a character set that is not converted"},
    {"owner_too_long", "the owner is longer than 1024 bytes"},
    {"bad_scopes", "the scopes are no list of words, or more or longer than a record may have"},
    {"value_too_long", "a value is longer than the import's limit"},
    {"expression", "a value is an expression"},
    {"column_count", "there are more or fewer values than columns"},
    {"bad_namespace", "what should name its namespace is NULL, empty or no name"},
}};

}  // namespace

std::string_view RefusalName(RefusalReason reason) {
  return kReasons[static_cast<size_t>(reason)].name;
}

std::string_view RefusalText(RefusalReason reason) {
  return kReasons[static_cast<size_t>(reason)].text;
}

}  // namespace tokend
