// SPDX-License-Identifier: Apache-2.0
// What a newer Prometheus than Debian's reads in a page of protobuf on standard input, with classic histograms kept beside native
// ones: an object of JSON for each sample, one a line.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

type bucket struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Count uint64  `json:"count"`
}

type example struct {
	Labels  map[string]string `json:"labels"`
	Value   float64           `json:"value"`
	Seconds float64           `json:"seconds"`
}

type sample struct {
	Labels    map[string]string `json:"labels"`
	IsNative  bool              `json:"is_native"`
	Value     float64           `json:"value"` // native: the sum
	Count     uint64            `json:"count"`
	Zero      uint64            `json:"zero"`
	Buckets   []bucket          `json:"buckets"`
	Exemplars []example         `json:"exemplars"`
}

func readSample(parser textparse.Parser, entry textparse.Entry) (read sample) {
	var set labels.Labels
	var found exemplar.Exemplar

	parser.Labels(&set)
	read.Labels = set.Map()
	if entry == textparse.EntryHistogram {
		_, _, native, _ := parser.Histogram()
		if err := native.Validate(); err != nil {
			log.Fatal(err)
		}
		read.IsNative, read.Value, read.Count, read.Zero = true, native.Sum, native.Count, native.ZeroCount
		for all := native.PositiveBucketIterator(); all.Next(); {
			if at := all.At(); at.Count > 0 {
				read.Buckets = append(read.Buckets, bucket{at.Lower, at.Upper, at.Count})
			}
		}
	} else {
		_, _, read.Value = parser.Series()
	}
	for parser.Exemplar(&found) {
		read.Exemplars = append(read.Exemplars, example{found.Labels.Map(), found.Value, float64(found.Ts) / 1000})
		found = exemplar.Exemplar{}
	}
	return read
}

func main() {
	page, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	parser := textparse.NewProtobufParser(page, true, false, false, labels.NewSymbolTable())
	lines := json.NewEncoder(os.Stdout)
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		if entry != textparse.EntrySeries && entry != textparse.EntryHistogram {
			continue
		}
		if err := lines.Encode(readSample(parser, entry)); err != nil {
			log.Fatal(err)
		}
	}
}
