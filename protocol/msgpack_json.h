// MessagePack as JSON text, in one pass. What JSON has no word for is told in text: binary as
// {"hex": ...}, an extension as {"ext": type, "hex": ...}, map keys that are no strings as the text
// of their JSON, bytes that are not UTF-8 as U+FFFD, numbers that are not finite as null.
#pragma once

#include <string>
#include <string_view>

namespace tokend::msgpack_io {

// Appends one value, on one line. False, and nothing appended, where the bytes do not begin with a
// whole value nested kDepthMax deep at the most.
bool AppendJson(std::string_view encoded, std::string* out);

}  // namespace tokend::msgpack_io
