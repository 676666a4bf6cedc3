package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// module is a linked module.
type module struct{ path, version, sum string }

// linked returns the modules that are linked into a program. If go.mod replaces a module
// by another one, linked returns the replacement.
func linked(info *debug.BuildInfo) []module {
	modules := make([]module, 0, len(info.Deps))
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		modules = append(modules, module{dep.Path, dep.Version, dep.Sum})
	}
	return modules
}

// document returns the bill of materials. It has no time and no random serial number, so
// that it is the same for the same program.
func document(version string, info *debug.BuildInfo, modules []module) *cyclonedx.BOM {
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: "ace", Type: cyclonedx.ComponentTypeApplication, Name: "ace", Version: version,
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
	}}

	std := module{path: "std", version: strings.TrimPrefix(info.GoVersion, "go")}
	components := []cyclonedx.Component{component(std)}
	for _, m := range modules {
		components = append(components, component(m))
	}
	bom.Components = &components

	refs := make([]string, len(components))
	for i, c := range components {
		refs[i] = c.BOMRef
	}
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: "ace", Dependencies: &refs}}
	return bom
}

// component returns the entry of a module. Its hash is the one of go.sum.
func component(m module) cyclonedx.Component {
	purl := "pkg:golang/" + m.path + "@" + url.QueryEscape(m.version)
	c := cyclonedx.Component{
		BOMRef: purl, PackageURL: purl, Type: cyclonedx.ComponentTypeLibrary, Name: m.path, Version: m.version,
	}
	encoded, ok := strings.CutPrefix(m.sum, "h1:")
	if sum, err := base64.StdEncoding.DecodeString(encoded); ok && err == nil {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

// encode returns the document as indented JSON.
func encode(bom *cyclonedx.BOM) ([]byte, error) {
	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
