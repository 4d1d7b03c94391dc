#include "protocol/sha256_ni.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <strings.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// Compiled for processors that have them, whatever the rest is compiled for.
#define TOKEND_SHA_NI __attribute__((target("sha,sse4.1,ssse3")))

namespace tokend {
namespace {

constexpr size_t kBlockBytes = 64;
constexpr size_t kLengthBytes = 8;  // the message's, in bits, at the end of the padding
constexpr size_t kGroups = 16;      // of four rounds

// FIPS 180-4, 4.2.2 and 5.3.3.
alignas(16) constexpr uint32_t kRoundConstants[4 * kGroups] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
constexpr uint32_t kInitial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// Sixteen bytes from kShift + i on: what shifts by i bytes to the front (an index over 127 gives
// 0).
alignas(16) constexpr uint8_t kShift[32] = {
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
// Sixteen bytes from kEnd + 16 - i on: the bit that ends the message, at i.
alignas(16) constexpr uint8_t kEnd[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80};

struct Block {
  __m128i words[4];  // as they lie in memory
};

// A message in blocks: whole ones, then the rest with its padding. That is put together in
// registers: written to memory piece by piece and read back whole it would stall the processor, and
// leave a part of a token behind.
class Blocks {
 public:
  explicit Blocks(std::string_view message)
      : bytes_(reinterpret_cast<const uint8_t*>(message.data())),
        size_(message.size()),
        count_((message.size() + 1 + kLengthBytes + kBlockBytes - 1) / kBlockBytes) {}

  size_t count() const { return count_; }
  TOKEND_SHA_NI Block operator[](size_t i) const {
    Block block;
#pragma GCC unroll 4
    for (size_t word = 0; word < 4; ++word) {
      block.words[word] = WordAt(i * kBlockBytes + word * kWordBytes);
    }
    if (i == count_ - 1) {
      const uint64_t bits = __builtin_bswap64(uint64_t{size_} * 8);
      block.words[3] = _mm_insert_epi64(block.words[3], static_cast<int64_t>(bits), 1);
    }
    return block;
  }

 private:
  static constexpr size_t kWordBytes = 16;

  // The message, its end and zeros.
  TOKEND_SHA_NI __m128i WordAt(size_t offset) const {
    const auto load = [](const uint8_t* from) __attribute__((always_inline)) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    };
    if (offset + kWordBytes <= size_) return load(bytes_ + offset);
    if (offset > size_) return _mm_setzero_si128();
    const size_t left = size_ - offset;
    const __m128i end = load(kEnd + kWordBytes - left);
    if (left == 0) return end;
    if (size_ >= kWordBytes) {
      // The last sixteen bytes, less those that came before.
      const __m128i last = load(bytes_ + size_ - kWordBytes);
      return _mm_or_si128(_mm_shuffle_epi8(last, load(kShift + kWordBytes - left)), end);
    }
    alignas(16) uint8_t copy[kWordBytes] = {};
    std::memcpy(copy, bytes_, left);
    const __m128i word = _mm_or_si128(load(copy), end);
    explicit_bzero(copy, sizeof copy);
    return word;
  }

  const uint8_t* const bytes_;
  const size_t size_;
  const size_t count_;
};

// The eight words of the state, in the order that the instructions take them.
struct State {
  __m128i abef;
  __m128i cdgh;
};

TOKEND_SHA_NI inline State InitialState() {
  const auto word = [](int i) { return static_cast<int>(kInitial[i]); };
  return {_mm_set_epi32(word(0), word(1), word(4), word(5)),
          _mm_set_epi32(word(2), word(3), word(6), word(7))};
}

// Each state by one block of its own; the streams do not depend on each other, so the processor
// works on them at once.
template <size_t kStreams>
TOKEND_SHA_NI inline void Compress(State* states, const Block* blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i words[kStreams][4];
  State was[kStreams];
#pragma GCC unroll 2
  for (size_t s = 0; s < kStreams; ++s) {
    was[s] = states[s];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      words[s][i] = _mm_shuffle_epi8(blocks[s].words[i], big_endian);
    }
  }
#pragma GCC unroll 16
  for (size_t g = 0; g < kGroups; ++g) {
    const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants) + g);
#pragma GCC unroll 2
    for (size_t s = 0; s < kStreams; ++s) {
      __m128i& now = words[s][g % 4];
      __m128i& next = words[s][(g + 1) % 4];
      __m128i& last = words[s][(g + 3) % 4];
      State& state = states[s];
      const __m128i input = _mm_add_epi32(now, constants);
      state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, input);
      if (g >= 3 && g < kGroups - 1) {
        next = _mm_add_epi32(next, _mm_alignr_epi8(now, last, 4));
        next = _mm_sha256msg2_epu32(next, now);
      }
      state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32(input, 0x0e));
      if (g >= 1 && g < kGroups - 3) last = _mm_sha256msg1_epu32(last, now);
    }
  }
#pragma GCC unroll 2
  for (size_t s = 0; s < kStreams; ++s) {
    states[s].abef = _mm_add_epi32(states[s].abef, was[s].abef);
    states[s].cdgh = _mm_add_epi32(states[s].cdgh, was[s].cdgh);
  }
}

TOKEND_SHA_NI inline void Finish(const State& state, TokenKey* digest) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
  auto* out = reinterpret_cast<__m128i*>(digest->bytes.data());
  _mm_storeu_si128(out, _mm_shuffle_epi8(_mm_blend_epi16(feba, dchg, 0xf0), big_endian));
  _mm_storeu_si128(out + 1, _mm_shuffle_epi8(_mm_alignr_epi8(dchg, feba, 8), big_endian));
}

TOKEND_SHA_NI inline void CompressFrom(const Blocks& blocks, size_t first, State* state) {
  for (size_t i = first; i < blocks.count(); ++i) {
    const Block block = blocks[i];
    Compress<1>(state, &block);
  }
}

bool AskProcessor() {
  unsigned int a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  const bool sse = (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  return sse && (b & bit_SHA) != 0;
}

}  // namespace

bool HasSha256Ni() {
  static const bool kHas = AskProcessor();
  return kHas;
}

TOKEND_SHA_NI void Sha256Ni(std::string_view message, TokenKey* digest) {
  const Blocks blocks(message);
  State state = InitialState();
  CompressFrom(blocks, 0, &state);
  Finish(state, digest);
}

TOKEND_SHA_NI void Sha256NiPair(std::string_view message_a, std::string_view message_b,
                                TokenKey* digest_a, TokenKey* digest_b) {
  const Blocks a(message_a), b(message_b);
  State states[2] = {InitialState(), InitialState()};
  size_t done = 0;
  for (; done < a.count() && done < b.count(); ++done) {
    const Block blocks[2] = {a[done], b[done]};
    Compress<2>(states, blocks);
  }
  CompressFrom(a, done, &states[0]);
  CompressFrom(b, done, &states[1]);
  Finish(states[0], digest_a);
  Finish(states[1], digest_b);
}

}  // namespace tokend

#else

#include <cstdlib>

namespace tokend {

bool HasSha256Ni() { return false; }
void Sha256Ni(std::string_view, TokenKey*) { std::abort(); }
void Sha256NiPair(std::string_view, std::string_view, TokenKey*, TokenKey*) { std::abort(); }

}  // namespace tokend

#endif
