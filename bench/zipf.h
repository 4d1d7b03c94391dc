// Zipf's law: of `count` ranks from 0 on, rank r comes with a probability proportional to
// 1 / (r + 1)^exponent.
#pragma once

#include <cstdint>

namespace tokend::bench {

// Exact, by rejection-inversion (W. Hörmann, G. Derflinger: Rejection-inversion to generate
// variates from monotone discrete distributions, 1996): no table, so a billion ranks cost what ten
// do.
class Zipf {
 public:
  // Requires count >= 1 and exponent > 0.
  Zipf(uint64_t count, double exponent);

  // The rank that comes of random bits: `next_random` gives 64 of them each time it is called,
  // which is a little more than once on average.
  template <typename NextRandom>
  uint64_t Draw(NextRandom&& next_random) const {
    while (true) {
      const double unit = static_cast<double>(next_random() >> 11) * 0x1p-53;
      uint64_t rank = 0;
      if (Accept(unit, &rank)) return rank;
    }
  }

 private:
  bool Accept(double unit, uint64_t* rank) const;
  double Density(double x) const;
  double Integral(double x) const;
  double InverseIntegral(double x) const;

  const double count_;
  const double exponent_;
  double integral_first_, integral_last_;
  double sure_width_;  // so close to the right of its rank a point is accepted without more ado
};

}  // namespace tokend::bench
