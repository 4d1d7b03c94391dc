// Sealed tokens: encrypted so that the server can give them back (`reveal`), and nobody else.
//
//   sealed = version:1 key_id:8 nonce:12 ciphertext tag:16
//
// AES-256-GCM with a nonce at random. What is authenticated besides names the record: a sealed
// token that is put into another one opens no more. Neither errors nor what is sealed tell a token;
// its length shows.
//
// Immutable once made; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/secret.h"
#include "protocol/token.h"

namespace tokend {

inline constexpr size_t kSealKeyBytes = 32;
inline constexpr size_t kSealKeyIdBytes = 8;

// The first bytes of a digest of the key: tells keys apart and says nothing about them.
using SealKeyId = std::array<uint8_t, kSealKeyIdBytes>;
std::string ToHex(const SealKeyId& id);  // 16 lower-case hexadecimal digits

// By which key it was sealed; nullopt where it is none of ours.
std::optional<SealKeyId> SealKeyIdOf(std::string_view sealed);

class Sealer {
 public:
  // Of a key file's text: one key a line in 64 hexadecimal digits. The first is the current one, by
  // which everything is sealed; the others open what they have sealed. kBadParams names the line.
  static Status Make(SecretView text, std::shared_ptr<const Sealer>* sealer);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  const SealKeyId& current() const { return keys_.front().id; }
  bool Has(const SealKeyId& id) const { return Find(id) != nullptr; }

  // kInternal where the system has no randomness to give.
  Status Seal(std::string_view namespace_name, const TokenKey& key, SecretView token,
              std::string* sealed) const;
  // kUnavailable where its key is not there, kInternal where it was changed or is another record's.
  Status Open(std::string_view namespace_name, const TokenKey& key, std::string_view sealed,
              Secret* token) const;

  // Opens it and seals it by the current key. Errors as of both.
  Status Reseal(std::string_view namespace_name, const TokenKey& key, std::string_view sealed,
                std::string* resealed) const;

 private:
  struct Key {
    std::array<uint8_t, kSealKeyBytes> bytes{};
    SealKeyId id{};
  };

  Sealer() = default;
  const Key* Find(const SealKeyId& id) const;

  std::vector<Key> keys_;  // at least one; wiped at the end
};

}  // namespace tokend
