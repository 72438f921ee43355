#pragma once

#include <besom/besom.hpp>
#include <string>

namespace example {

/// The page of a run that `--report` asks for, made by besom-report of the heap's record.
class Report {
 public:
  /// `page` is the file's name, or empty for none. Where `options` say nothing of a record, the
  /// heap that is made with them writes one beside the page, which goes when the page is there.
  /// Further heaps with these options have pages of their own: PAGE.2.html beside PAGE.html.
  Report(std::string page, besom::HeapOptions& options);

  /// After the heap has gone. Throws Stop where no page could be made.
  void make() const;

 private:
  std::string page_;
  std::string record_;
  bool keeps_record_;
};

}  // namespace example
