#include "snapshot.hpp"

#include <algorithm>

#include "numbers.hpp"
#include "text.hpp"

namespace scheme {
namespace {

using besom::SnapshotKind;
using besom::SnapshotLabel;

/// As much of the text as the label has room for.
void set_text(SnapshotLabel& label, std::u32string_view text) {
  for (const char32_t c : text) {
    std::string bytes;
    append_utf8(bytes, c);
    if (label.length + bytes.size() > SnapshotLabel::kMaxBytes) return;
    bytes.copy(label.text + label.length, bytes.size());
    label.length += static_cast<std::uint32_t>(bytes.size());
  }
}

/// A string, a symbol, or what has no text.
void set_text(Interp& in, SnapshotLabel& label, Value name) {
  if (in.is(name, kString)) set_text(label, in.text(name));
  if (in.is(name, kSymbol)) set_text(label, in.name_of(name));
}

void label_object(void* user, const besom::ObjectView& object, SnapshotLabel& label) {
  Interp& in = *static_cast<Interp*>(user);
  const Value self = object.ref;
  switch (object.type_id) {
    case kString:
      label.kind = SnapshotKind::string;
      return set_text(in, label, self);
    case kSymbol:
      label.kind = SnapshotKind::symbol;
      return set_text(in, label, self);
    case kFlonum: {
      label.kind = SnapshotKind::number;
      const std::string text = number_text(in.at<Flonum>(self)->value);
      label.length = static_cast<std::uint32_t>(text.copy(label.text, SnapshotLabel::kMaxBytes));
      return;
    }
    case kInteger:
      label.kind = SnapshotKind::number;
      return;
    case kClosure:
      label.kind = SnapshotKind::closure;
      return set_text(in, label, in.at<Code>(in.at<Closure>(self)->code.get())->name.get());
    case kPrimitive:
      label.kind = SnapshotKind::closure;
      return set_text(in, label, in.at<Primitive>(self)->name.get());
    case kCode:
      label.kind = SnapshotKind::code;
      return set_text(in, label, in.at<Code>(self)->name.get());
    case kRecord:
      return set_text(in, label, in.at<RecordType>(in.at<Record>(self)->type.get())->name.get());
    default:
      return;
  }
}

}  // namespace

besom::Result<besom::SnapshotStats> save_snapshot(Interp& in, const std::string& file) {
  if (const besom::Error error = in.heap().collect()) return error;
  return besom::save_snapshot(in.heap(), file.c_str(), {label_object, &in});
}

}  // namespace scheme
