// SHA-256 by the SHA instructions of x86-64 processors, one message at a time or two.
//
// Each round waits for the one before, so one message leaves the unit idle half of the time; two
// that take turns come out in little more time than one. OpenSSL has no call for that.
//
// Thread-safe. Call these only where HasSha256Ni().
#pragma once

#include <string_view>

#include "protocol/token.h"

namespace tokend {

// Whether this processor has the instructions; asked of it once.
bool HasSha256Ni();

void Sha256Ni(std::string_view message, TokenKey* digest);
void Sha256NiPair(std::string_view message_a, std::string_view message_b, TokenKey* digest_a,
                  TokenKey* digest_b);

}  // namespace tokend
