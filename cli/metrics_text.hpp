// Numbers for a monitoring system, as OpenMetrics 1.0 text. All of them are gauges and have a type,
// a help and, where there is one, a unit, so that what reads the older text format of Prometheus
// reads them too.
#pragma once

#include "json_output.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quietus::cli {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class MetricsText {
 public:
  // Every sample gets the label `vault`, so that files of several vaults can lie beside each other.
  explicit MetricsText(std::string vault_id) : vault_id_(std::move(vault_id)) {}

  // Requires: `name` is one of the table in metrics_text.cpp. What is not known is not added.
  void add(std::string_view name, double value, const MetricLabels& labels = {});
  void add(std::string_view name, std::uint64_t value, const MetricLabels& labels = {}) {
    add(name, static_cast<double>(value), labels);
  }
  void add_flag(std::string_view name, bool value) { add(name, value ? 1.0 : 0.0); }
  // Seconds since 1970. 0 milliseconds are no time and are not added.
  void add_time(std::string_view name, std::int64_t unix_ms);

  // In the order of the table; the samples of one metric in the order of their labels.
  std::string text() const;
  Json json() const;

 private:
  struct Sample {
    MetricLabels labels;
    double value = 0;
  };
  std::string vault_id_;
  std::map<std::string, std::map<std::string, Sample>, std::less<>> samples_;
};

}  // namespace quietus::cli
