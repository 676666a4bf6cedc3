package backup

// MaxSum is the maximum size of a sum in bytes.
const MaxSum = maxSum

// MaxDamaged is the maximum number of damaged objects that a manifest names.
const MaxDamaged = maxDamaged
