// Small things that SQL dumps and text files have in common.
#pragma once

#include <string>
#include <string_view>

namespace tokend {

// ASCII case only, as SQL's keywords and column names here need it.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ToLowerAscii(std::string_view text);
// What a byte behind a backslash stands for; most stand for themselves.
char UnescapeSql(char c);

}  // namespace tokend
