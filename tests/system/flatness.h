// Whether a series of samples stays flat. The criterion of the soak test: the line of least squares
// through them rises by less than a tenth of their mean from the first to the last, or by less than
// a floor, below which a rise is that of a buffer or two.
#pragma once

#include <cstddef>
#include <vector>

namespace tokend::testing {

struct Sample {
  double at_s = 0;
  double value = 0;
};

// By how much the line rises from the first sample to the last; 0 of fewer than two.
inline double RiseOf(const std::vector<Sample>& samples) {
  if (samples.size() < 2) return 0;
  const double count = static_cast<double>(samples.size());
  double mean_at = 0, mean_value = 0;
  for (const Sample& sample : samples) {
    mean_at += sample.at_s / count;
    mean_value += sample.value / count;
  }
  double covariance = 0, variance = 0;
  for (const Sample& sample : samples) {
    covariance += (sample.at_s - mean_at) * (sample.value - mean_value);
    variance += (sample.at_s - mean_at) * (sample.at_s - mean_at);
  }
  if (variance == 0) return 0;
  return covariance / variance * (samples.back().at_s - samples.front().at_s);
}

inline double MeanOf(const std::vector<Sample>& samples) {
  double sum = 0;
  for (const Sample& sample : samples) sum += sample.value;
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

inline bool IsFlat(const std::vector<Sample>& samples, double floor) {
  const double rise = RiseOf(samples);
  return rise < floor || rise < MeanOf(samples) / 10;
}

}  // namespace tokend::testing
