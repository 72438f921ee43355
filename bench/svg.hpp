#pragma once

#include <iomanip>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Writes an SVG picture, element by element; the document ends with the object. Coordinates in
/// pixels from the upper left corner, styles as classes of the document's style sheet.
class Canvas {
 public:
  Canvas(std::ostream& out, double width, double height, const char* style_sheet) : out_(out) {
    out_ << std::fixed << std::setprecision(1)
         << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << " " << height
         << "\" width=\"" << width << "\" height=\"" << height << "\">\n<style>" << style_sheet
         << "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  }
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;
  ~Canvas() { out_ << "</svg>\n"; }

  void text(double x, double y, const char* style, const std::string& words,
            const char* anchor = "start") {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" class=\"" << style << "\" text-anchor=\""
         << anchor << "\">" << escaped(words) << "</text>\n";
  }
  void rectangle(double x, double y, double width, double height, const char* style) {
    out_ << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << width << "\" height=\""
         << height << "\" class=\"" << style << "\"/>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char* style) {
    out_ << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2
         << "\" class=\"" << style << "\"/>\n";
  }
  void polyline(const std::vector<std::pair<double, double>>& points, const char* style) {
    out_ << "<polyline class=\"" << style << "\" points=\"";
    for (const auto& [x, y] : points) out_ << x << "," << y << " ";
    out_ << "\"/>\n";
  }

 private:
  static std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '<') {
        out += "&lt;";
      } else if (c == '&') {
        out += "&amp;";
      } else {
        out += c;
      }
    }
    return out;
  }

  std::ostream& out_;
};

}  // namespace bench
