# Loads the image @TAG@ on a machine without network: checks every file, loads, compares the image's id.
# Needs Docker Desktop or Podman:   powershell -ExecutionPolicy Bypass -File load.ps1 [-Engine podman]
param([string]$Engine = "")
$ErrorActionPreference = "Stop"
Set-Location -LiteralPath $PSScriptRoot

if (-not $Engine) {
    $Engine = @("docker", "podman") | Where-Object { Get-Command $_ -ErrorAction SilentlyContinue } | Select-Object -First 1
}
if (-not $Engine -or -not (Get-Command $Engine -ErrorAction SilentlyContinue)) {
    Write-Error "Neither Docker nor Podman can be used on this machine."; exit 1
}

foreach ($line in Get-Content -Encoding UTF8 SHA256SUMS) {
    $wanted, $name = $line -split "  ", 2
    if (-not (Test-Path -LiteralPath $name -PathType Leaf)) { Write-Error "$name is missing: copy it again."; exit 1 }
    $found = (Get-FileHash -Algorithm SHA256 -LiteralPath $name).Hash.ToLower()
    if ($found -ne $wanted) { Write-Error "$name is damaged: copy it again."; exit 1 }
}
Write-Host "All files are as they were packed."

$parts = "@PARTS@" -split " "
$image = Join-Path $PSScriptRoot $parts[0]
$joined = $null
try {
    if ($parts.Count -gt 1) {
        $image = $joined = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName() + "-@FILE@")
        $target = [IO.File]::Create($joined)
        try {
            foreach ($part in $parts) {
                $source = [IO.File]::OpenRead((Join-Path $PSScriptRoot $part))
                try { $source.CopyTo($target) } finally { $source.Dispose() }
            }
        } finally { $target.Dispose() }
    }
    & $Engine load --input $image
    if ($LASTEXITCODE -ne 0) { Write-Error "$Engine could not load the image."; exit 1 }
} finally {
    if ($joined) { Remove-Item -LiteralPath $joined -ErrorAction SilentlyContinue }
}
$found = (& $Engine image inspect --format "{{.Id}}" "@TAG@") -replace "^sha256:", ""
if ($LASTEXITCODE -ne 0) { Write-Error "$Engine does not know @TAG@ after loading it."; exit 1 }
if ($found -ne "@ID@") {
    # some engines count ids in another way; layers are counted alike by all
    $layers = "$(& $Engine image inspect --format "{{range .RootFS.Layers}}{{.}} {{end}}" "@TAG@")".Trim()
    if ($layers -ne "@LAYERS@") { Write-Error "The loaded image is $found, but @ID@ was packed. Do not use it."; exit 1 }
}
Write-Host "@TAG@ is loaded and is the image that was packed. Next: $Engine compose up -d, or see README.en.md."
