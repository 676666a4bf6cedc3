package service

// ComparedTargets is comparedTargets, for tests.
var ComparedTargets = comparedTargets
