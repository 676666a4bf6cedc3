package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"ace/shared/api"
)

// The sizes of a chart and of its bars, in the units of its SVG. A chart has one bar for
// each comparison.
const (
	chartHeight = 28
	barWidth    = 4
	barGap      = 2
	chartWidth  = maxPoints*(barWidth+barGap) - barGap
)

// chart returns a bar chart of the rows that differed in the comparisons of a table,
// the oldest at the left. points must be in the order newest first. The scale is
// logarithmic, so that five rows are visible next to a million. A comparison whose
// verdict is not "differ" is a short bar in the color of a match.
func chart(points []point) template.HTML {
	most := 1.0
	for _, p := range points {
		most = max(most, scaled(p.Mismatched))
	}

	var bars, counts []string
	for i, p := range points { // draws the bars from right to left
		height, class := 3.0, "bar-match"
		if p.Verdict == api.VerdictDiffer {
			height, class = 6+(chartHeight-6)*scaled(p.Mismatched)/most, "bar-differ"
		}
		x := chartWidth - barWidth - i*(barWidth+barGap)
		bars = append(bars, fmt.Sprintf(`<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f" rx="1"/>`,
			class, x, chartHeight-height, barWidth, height))
		counts = append([]string{strconv.FormatInt(p.Mismatched, 10)}, counts...)
	}

	label := "Differing rows, oldest comparison first: " + strings.Join(counts, ", ")
	return template.HTML(fmt.Sprintf(`<svg class="chart" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s"><title>%s</title><rect class="axis" y="%d" width="%d" height="1"/>%s</svg>`,
		chartWidth, chartHeight+1, chartWidth, chartHeight+1, label, label, chartHeight, chartWidth, strings.Join(bars, "")))
}

func scaled(rows int64) float64 { return math.Log10(1 + float64(max(rows, 0))) }
