// Forgetting tokens that were read.
#pragma once

#include <cstddef>

namespace tokend {

// Zeroes the bytes. Of many, most are given back to the system instead, and read as zero: who frees
// them later does not wait for that to be done with all of them.
void Wipe(char* bytes, size_t size);

}  // namespace tokend
