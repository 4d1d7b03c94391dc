#include "bench/zipf.h"

#include <algorithm>
#include <cmath>

namespace tokend::bench {
namespace {

// (e^x - 1) / x and log(1 + x) / x, with their limits at 0: an exponent of 1 needs no case of its
// own.
double Expm1Quotient(double x) { return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2; }
double Log1pQuotient(double x) { return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2; }

}  // namespace

Zipf::Zipf(uint64_t count, double exponent)
    : count_(static_cast<double>(count)), exponent_(exponent) {
  integral_first_ = Integral(1.5) - 1;
  integral_last_ = Integral(count_ + 0.5);
  sure_width_ = 2 - InverseIntegral(Integral(2.5) - Density(2));
}

// A point under the hat, which is the density drawn through the middles of the steps, is inverted
// to a place x, and x rounded to a rank k from 1 on. It is kept unless it lies above the step.
bool Zipf::Accept(double unit, uint64_t* rank) const {
  const double point = integral_last_ + unit * (integral_first_ - integral_last_);
  const double x = InverseIntegral(point);
  const double k = std::clamp(std::floor(x + 0.5), 1.0, count_);
  *rank = static_cast<uint64_t>(k) - 1;
  return k - x <= sure_width_ || point >= Integral(k + 0.5) - Density(k);
}

double Zipf::Density(double x) const { return std::exp(-exponent_ * std::log(x)); }

// Of the density, with a constant such that it is log(x) for an exponent of 1.
double Zipf::Integral(double x) const {
  const double log_x = std::log(x);
  return Expm1Quotient((1 - exponent_) * log_x) * log_x;
}

double Zipf::InverseIntegral(double x) const {
  // Rounding may put it below the -1 where the integral ends.
  const double t = std::max(x * (1 - exponent_), -1.0);
  return std::exp(Log1pQuotient(t) * x);
}

}  // namespace tokend::bench
