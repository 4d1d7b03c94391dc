// Forgetting tokens that were read.
#pragma once

#include <cstddef>
#include <string>

namespace tokend {

// Zeroes the bytes. Of many, most are given back to the system instead, and read as zero: who frees
// them later does not wait for that to be done with all of them.
void Wipe(char* bytes, size_t size);
// A string with all that it has room for, where longer ones may have been.
void WipeAll(std::string* text);

}  // namespace tokend
