// How `tokenctl top` shows a TopSnapshot: as a screen, as a line of columns, as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "client/tokenctl/screen.h"
#include "client/tokenctl/top_stats.h"

namespace tokend::tokenctl {

// Lines that fit: none is wider than the screen, and there are no more than it has rows. What comes
// last, the loops, goes first where there is no room.
std::vector<std::string> TopScreen(const TopSnapshot& snapshot, std::string_view address,
                                   uint64_t interval_ms, ScreenSize size);
// The same while there is nothing to show but `trouble`.
std::vector<std::string> TopTroubleScreen(std::string_view trouble, std::string_view address,
                                          uint64_t interval_ms, ScreenSize size);

// Columns of fixed width, each value one word and "-" where there is none; without line ends.
std::string TopHeaderLine();
std::string TopLine(const TopSnapshot& snapshot, uint64_t now_ms);

nlohmann::ordered_json TopJson(const TopSnapshot& snapshot, uint64_t now_ms);

}  // namespace tokend::tokenctl
