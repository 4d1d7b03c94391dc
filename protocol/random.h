// Randomness of the system.
#pragma once

#include <cstdint>
#include <span>

namespace tokend {

// From the system's CSPRNG. False where it has none to give.
[[nodiscard]] bool FillRandom(std::span<uint8_t> out);

}  // namespace tokend
