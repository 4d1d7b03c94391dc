#include "protocol/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

namespace tokend {
namespace {

template <typename T>
concept Streamed = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
concept Appended = requires(std::string& text, const T& value) {
  text += value;
};

// Whatever would put it into a log, an error, a metric or an answer does not compile.
template <typename T>
constexpr bool CanBeShown() {
  return fmt::is_formattable<T>::value || Streamed<T> || Appended<T> ||
         std::is_convertible_v<T, std::string_view> || std::is_convertible_v<T, std::string> ||
         std::is_constructible_v<std::string, T> || std::is_constructible_v<nlohmann::json, T>;
}
static_assert(CanBeShown<std::string>() && CanBeShown<std::string_view>());
static_assert(!CanBeShown<Secret>() && !CanBeShown<SecretView>());
// Nor does text become one by the way.
static_assert(!std::is_convertible_v<std::string, Secret>);
static_assert(!std::is_convertible_v<std::string_view, SecretView>);

// Short ones lie in the string itself, long ones on the heap.
const std::string kShort = "tk_short";
const std::string kLong(100, 'x');

TEST(SecretTest, GivesItsBytesToWhoAsksForThem) {
  for (const std::string& text : {kShort, kLong}) {
    const Secret secret(text);
    const SecretView view = secret;
    EXPECT_EQ(view.bytes(), text);
    EXPECT_EQ(view.size(), text.size());
    EXPECT_FALSE(secret.empty());
    const Secret copy = secret;
    EXPECT_EQ(copy.bytes(), text);
    EXPECT_NE(copy.bytes().data(), secret.bytes().data());
  }
  EXPECT_TRUE(Secret().empty());
  EXPECT_TRUE(SecretView().empty());
}

TEST(SecretTest, LeavesNothingBehindWhenItIsWiped) {
  for (const std::string& text : {kShort, kLong}) {
    Secret secret(text);
    const char* const bytes = secret.bytes().data();  // its memory stays its own
    secret.Wipe();
    EXPECT_TRUE(secret.empty());
    EXPECT_EQ(std::count(bytes, bytes + text.size(), '\0'), static_cast<ptrdiff_t>(text.size()));
  }
}

TEST(SecretTest, LeavesNothingBehindWhereItWas) {
  alignas(Secret) unsigned char memory[sizeof(Secret)];
  auto* const first = new (memory) Secret(kShort);
  Secret moved(std::move(*first));
  EXPECT_EQ(moved.bytes(), kShort);
  EXPECT_EQ(memmem(memory, sizeof memory, kShort.data(), kShort.size()), nullptr);
  *first = std::move(moved);
  EXPECT_EQ(first->bytes(), kShort);
  first->~Secret();
  EXPECT_EQ(memmem(memory, sizeof memory, kShort.data(), kShort.size()), nullptr);
}

}  // namespace
}  // namespace tokend
