# Loads the image @TAG@ on a machine without network: checks every file, loads, compares the image's id.
# Needs Docker Desktop or Podman:   powershell -ExecutionPolicy Bypass -File load.ps1 [-Engine podman]
param([string]$Engine = "docker")
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot

foreach ($line in Get-Content -Encoding UTF8 SHA256SUMS) {
    $wanted, $name = $line -split "  ", 2
    $found = (Get-FileHash -Algorithm SHA256 -LiteralPath $name).Hash.ToLower()
    if ($found -ne $wanted) { Write-Error "$name is damaged: copy it again."; exit 1 }
}
Write-Host "All files are as they were packed."

$image = Join-Path ([IO.Path]::GetTempPath()) "@FILE@"
$target = [IO.File]::Create($image)
try {
    foreach ($part in "@PARTS@" -split " ") {
        $source = [IO.File]::OpenRead((Join-Path $PSScriptRoot $part))
        try { $source.CopyTo($target) } finally { $source.Dispose() }
    }
} finally { $target.Dispose() }

& $Engine load --input $image
if ($LASTEXITCODE -ne 0) { Write-Error "$Engine could not load the image."; exit 1 }
Remove-Item $image
$found = (& $Engine image inspect --format "{{.Id}}" "@TAG@") -replace "^sha256:", ""
if ($found -ne "@ID@") {
    # some engines count ids in another way; layers are counted alike by all
    $layers = (& $Engine image inspect --format "{{range .RootFS.Layers}}{{.}} {{end}}" "@TAG@").Trim()
    if ($layers -ne "@LAYERS@") { Write-Error "The loaded image is $found, but @ID@ was packed. Do not use it."; exit 1 }
}
Write-Host "@TAG@ is loaded and is the image that was packed. Next: $Engine compose up -d, or see README.en.md."
