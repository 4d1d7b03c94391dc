#include "protocol/sealer.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "protocol/digest.h"
#include "protocol/random.h"

namespace tokend {
namespace {

constexpr char kVersion = 1;  // persisted
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kHeadBytes = 1 + kSealKeyIdBytes + kNonceBytes;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

uint8_t* Bytes(char* bytes) { return reinterpret_cast<uint8_t*>(bytes); }
const uint8_t* Bytes(const char* bytes) { return reinterpret_cast<const uint8_t*>(bytes); }

// The name comes last: it alone may have any length.
std::string Authenticated(std::string_view namespace_name, const TokenKey& key) {
  std::string bytes("tokend sealed token");
  return bytes.append(key.view()).append(namespace_name);
}

// Encrypts or decrypts `in` to `out`, which has as many bytes; the tag is still to be had or
// checked.
bool Begin(EVP_CIPHER_CTX* cipher, bool encrypt, const uint8_t* key, const char* nonce,
           std::string_view authenticated, std::string_view in, char* out) {
  int size = 0;
  return EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), nullptr, key, Bytes(nonce),
                           encrypt ? 1 : 0) == 1 &&
         EVP_CipherUpdate(cipher, nullptr, &size, Bytes(authenticated.data()),
                          static_cast<int>(authenticated.size())) == 1 &&
         EVP_CipherUpdate(cipher, Bytes(out), &size, Bytes(in.data()),
                          static_cast<int>(in.size())) == 1;
}

}  // namespace

std::string ToHex(const SealKeyId& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : id) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

std::optional<SealKeyId> SealKeyIdOf(std::string_view sealed) {
  if (sealed.size() < kHeadBytes + kTagBytes || sealed[0] != kVersion) return std::nullopt;
  SealKeyId id;
  std::memcpy(id.data(), sealed.data() + 1, id.size());
  return id;
}

Status Sealer::Make(SecretView keys, std::shared_ptr<const Sealer>* sealer) {
  std::string_view text = keys.bytes();
  const std::shared_ptr<Sealer> made(new Sealer());
  // So that no key is left behind in a buffer grown out of.
  made->keys_.reserve(static_cast<size_t>(std::ranges::count(text, '\n')) + 1);
  PartwiseSha256 digest;
  for (size_t line = 1; line == 1 || !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    Key& key = made->keys_.emplace_back();
    bool is_key = end == 2 * key.bytes.size();
    for (size_t i = 0; is_key && i < key.bytes.size(); ++i) {
      const char* const digits = text.data() + 2 * i;
      const auto [after, error] = std::from_chars(digits, digits + 2, key.bytes[i], 16);
      is_key = error == std::errc() && after == digits + 2;
    }
    if (!is_key) {
      return {ErrorCode::kBadParams, "line " + std::to_string(line) +
                                         ": must be a key of 64 hexadecimal digits and nothing "
                                         "else, as openssl rand -hex 32 makes one"};
    }
    digest.Add("tokend seal key id");
    digest.Add({reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()});
    std::memcpy(key.id.data(), digest.Finish().bytes.data(), key.id.size());
    if (made->Find(key.id) != &key) {
      return {ErrorCode::kBadParams, "line " + std::to_string(line) + ": is there twice"};
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  *sealer = made;
  return Status::Ok();
}

Sealer::~Sealer() {
  for (Key& key : keys_) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
}

const Sealer::Key* Sealer::Find(const SealKeyId& id) const {
  const auto found = std::ranges::find(keys_, id, &Key::id);
  return found == keys_.end() ? nullptr : &*found;
}

Status Sealer::Seal(std::string_view namespace_name, const TokenKey& key, SecretView token,
                    std::string* sealed) const {
  const Key& by = keys_.front();
  sealed->assign(kHeadBytes + token.size() + kTagBytes, '\0');
  (*sealed)[0] = kVersion;
  std::memcpy(sealed->data() + 1, by.id.data(), by.id.size());
  char* const nonce = sealed->data() + 1 + kSealKeyIdBytes;
  char* const body = sealed->data() + kHeadBytes;
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done =
      FillRandom({Bytes(nonce), kNonceBytes}) && cipher != nullptr &&
      Begin(cipher.get(), /*encrypt=*/true, by.bytes.data(), nonce,
            Authenticated(namespace_name, key), token.bytes(), body) &&
      EVP_CipherFinal_ex(cipher.get(), Bytes(body + token.size()), &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, body + token.size()) == 1;
  if (done) return Status::Ok();
  sealed->clear();
  return {ErrorCode::kInternal, "the system could not seal a token"};
}

Status Sealer::Open(std::string_view namespace_name, const TokenKey& key, std::string_view sealed,
                    Secret* token) const {
  const auto id = SealKeyIdOf(sealed);
  const Key* const by = id ? Find(*id) : nullptr;
  if (id && by == nullptr) {
    return {ErrorCode::kUnavailable, "the token is sealed by the key " + ToHex(*id) +
                                         ", which is not in the server's seal_key_file; add it "
                                         "there as a further line"};
  }
  if (by != nullptr) {
    const std::string_view body = sealed.substr(kHeadBytes, sealed.size() - kHeadBytes - kTagBytes);
    std::array<char, kTagBytes> tag;
    std::memcpy(tag.data(), sealed.data() + sealed.size() - tag.size(), tag.size());
    std::string& opened = *token->mutable_bytes();
    opened.assign(body.size(), '\0');
    const Cipher cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    if (cipher != nullptr &&
        Begin(cipher.get(), /*encrypt=*/false, by->bytes.data(),
              sealed.data() + 1 + kSealKeyIdBytes, Authenticated(namespace_name, key), body,
              opened.data()) &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
        EVP_CipherFinal_ex(cipher.get(), Bytes(opened.data() + body.size()), &size) == 1) {
      return Status::Ok();
    }
    token->Wipe();  // decrypted, and not what was sealed
  }
  return {ErrorCode::kInternal,
          "sealed token " + ToHex(TokenId::Of(key)) + " on disk is damaged or of another record"};
}

Status Sealer::Reseal(std::string_view namespace_name, const TokenKey& key, std::string_view sealed,
                      std::string* resealed) const {
  Secret token;
  Status status = Open(namespace_name, key, sealed, &token);
  return status.ok() ? Seal(namespace_name, key, token, resealed) : status;
}

}  // namespace tokend
